"""The tools as pure declarations: name, purpose, arguments. The same for chat models, MCP clients and the fixed pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from twm.core.errors import InvalidInputError
from twm.core.text import shown
from twm.gateway.tools import arguments as forms

MAX_ARGUMENT_CHARACTERS = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool."""

    name: str
    description: str
    arguments: type[forms.Arguments]

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return self.arguments.model_json_schema()

    def parse(self, text: str | dict[str, Any]) -> forms.Arguments:
        """Arguments from JSON text or an object. Raises InvalidInputError naming field, value and bound."""
        try:
            if isinstance(text, str):
                if len(text) > MAX_ARGUMENT_CHARACTERS:
                    raise InvalidInputError(
                        f"{self.name}: {len(text)} characters of arguments, at most {MAX_ARGUMENT_CHARACTERS}"
                    )
                return self.arguments.model_validate_json(text or "{}")
            return self.arguments.model_validate(text)
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']} (got {shown(str(e['input']))})"
                for e in error.errors()[:5]
            ]
            raise InvalidInputError(f"{self.name}: {'; '.join(lines)}") from error


TOOLS = (
    Tool(
        name="query_state",
        description="KPIs, shares in force, mode of decisions and SLA bounds of the newest slow step. Reads only.",
        arguments=forms.QueryState,
    ),
    Tool(
        name="forecast_field",
        description="Field world model: demand and radio conditions expected per zone or cell over the horizon, quantiles.",
        arguments=forms.ForecastField,
    ),
    Tool(
        name="propose_candidates",
        description="Candidate plans of the newest decision with their predictions, and the actor's first steps.",
        arguments=forms.ProposeCandidates,
    ),
    Tool(
        name="roll_out",
        description="Control world model: predicted SLA margin, violation probabilities and slice KPIs of plans you describe.",
        arguments=forms.RollOut,
    ),
    Tool(
        name="verify_in_twin",
        description="Play plans in the digital twin under the world model's scenarios.",
        arguments=forms.VerifyInTwin,
    ),
    Tool(
        name="explain",
        description="Why a decision was accepted or refused, with every number behind it and what would change it.",
        arguments=forms.Explain,
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


def find_tool(name: str) -> Tool:
    """The tool of that name. Raises InvalidInputError naming those there are."""
    if name not in BY_NAME:
        raise InvalidInputError(f"tool: {shown(name)} is none of {', '.join(BY_NAME)}")
    return BY_NAME[name]


def chat_tools() -> list[dict[str, Any]]:
    """The declarations in the form of the OpenAI chat completions API."""
    return [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.schema()}}
        for t in TOOLS
    ]
