"""The language layer as the settings have it: everything, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from twm.gateway.language.client import Endpoint, ModelClient
from twm.gateway.language.compiler import ModelCompiler
from twm.gateway.language.opinion import SecondOpinion
from twm.gateway.language.writer import ModelWriter
from twm.gateway.settings import GatewaySettings


@dataclass(frozen=True)
class Language:
    """What asks the model."""

    client: ModelClient
    opinion: SecondOpinion
    writer: ModelWriter


def language_of(settings: GatewaySettings) -> Language | None:
    """None where no URL is set. Raises InvalidInputError where the key file cannot be read."""
    if not settings.llm_url:
        return None
    timeout_s = settings.llm_timeout_s
    endpoint = Endpoint(
        url=settings.llm_url,
        model=settings.llm_model,
        api_key_file=settings.llm_api_key_file,
        timeout_s=timeout_s,
        concurrency=settings.llm_concurrency,
    )
    client = ModelClient(endpoint)
    compiler = ModelCompiler(client, settings.llm_prompt, timeout_s=timeout_s)
    return Language(client, SecondOpinion(compiler), ModelWriter(client, timeout_s=timeout_s))
