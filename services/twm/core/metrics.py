"""Every Prometheus metric of every process, declared once. Base units; no UE ids in labels.

A metric is module state of prometheus_client by design (its registry is process-wide); nothing else here is.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_PLAN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
_RPC_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# ingester
REPORTS = Counter("twm_reports_total", "Reports taken in, by outcome (accepted or a rejection reason)", ["outcome"])
DECODE_ERRORS = Counter("twm_decode_errors_total", "Indications that could not be decoded, by reason", ["reason"])
VALUES_REJECTED = Counter("twm_kpi_values_rejected_total", "Single KPI values refused, by reason", ["reason"])
FRAMES = Counter("twm_frames_total", "KpiFrames written to the stream")
FRAME_MISSING_RATIO = Gauge("twm_frame_missing_ratio", "Share of values missing in the newest KpiFrame")
FRAME_STEP = Gauge("twm_frame_step", "Slow step of the newest KpiFrame")

# streams
STREAM_LAG = Gauge("twm_stream_lag_entries", "Entries not yet delivered to the consumer group", ["stream", "group"])
STREAM_PENDING = Gauge("twm_stream_pending_entries", "Entries delivered but not yet acknowledged", ["stream", "group"])
STREAM_TAKEOVERS = Counter("twm_stream_takeovers_total", "Entries taken over from dead consumers", ["stream"])
DEAD_LETTERS = Counter("twm_dead_letters_total", "Entries moved to the dead-letter stream, by reason", ["stream", "reason"])
STREAM_REFUSED = Counter("twm_stream_refused_total", "Writes refused because readers are too far behind", ["stream"])
REDIS_ERRORS = Counter("twm_redis_errors_total", "Failed Redis calls", ["kind"])

# inference
ROLLOUTS = Counter("twm_rollouts_total", "Candidate policies rolled out")
ROLLOUT_SECONDS = Histogram("twm_rollout_seconds", "Time to answer one Rollout", buckets=_RPC_BUCKETS)
FIELD_SECONDS = Histogram("twm_predict_field_seconds", "Time to answer one PredictField", buckets=_RPC_BUCKETS)
PROPOSE_SECONDS = Histogram("twm_propose_seconds", "Time to answer one Propose", buckets=_RPC_BUCKETS)
MODEL_INFO = Gauge("twm_model_info", "Models in use (value 1)", ["model", "version", "digest"])
MODEL_RELOADS = Counter("twm_model_reloads_total", "Attempts to load a model, by outcome", ["model", "outcome"])
SHADOW_GAIN = Gauge("twm_challenger_gain_ratio", "Relative gain of the challenger's score: low, mean, high (95 %)", ["bound"])
SHADOW_FORECASTS = Gauge("twm_challenger_forecasts", "Forecasts in which champion and challenger were compared")

# planner
PLAN_SECONDS = Histogram("twm_plan_seconds", "Time of one planning cycle", buckets=_PLAN_BUCKETS)
PROPOSALS = Counter("twm_proposals_total", "Proposals made, by source", ["source"])
TWIN_CALLS = Counter("twm_twin_calls_total", "Twin calls spent on verification")
EVALUATIONS = Counter("twm_plan_evaluations_total", "Candidates scored by the world model")
PLAN_FALLBACKS = Counter("twm_plan_fallbacks_total", "Proposals of the reactive rule, by reason", ["reason"])
PLANS_REDUCED = Counter("twm_plans_reduced_total", "Planning cycles cut down, by cause (backlog, deadline)", ["cause"])
CORNER_TRIGGERS = Counter("twm_corner_triggers_total", "Signs of a corner case in planning cycles, by kind", ["kind"])
CORNER_TEMPLATES = Counter(
    "twm_corner_templates_total", "Templates filled for corner cases, by template and outcome", ["template", "outcome"]
)
CORNER_OFFERS = Counter("twm_corner_offers_total", "Template parameters read from the gateway, by outcome", ["outcome"])
PRESCREENED = Counter("twm_prescreened_total", "Candidates turned away before they were scored, by reason", ["reason"])
INTENT_OUTCOMES = Counter(
    "twm_intent_outcomes_total", "KPI constraints and savings of active intents in proposals, met or not", ["outcome"]
)
FRAMES_REPEATED = Counter("twm_plan_frames_repeated_total", "Frames whose slow step had a proposal already, or was too old")

# gateway
VERDICTS = Counter("twm_verdicts_total", "Guardrail verdicts, by decision", ["decision"])
CHECK_FAILURES = Counter("twm_guardrail_check_failures_total", "Guardrail checks that failed, by check", ["check"])
POLICIES = Counter("twm_policies_total", "Slice policies written, by mode", ["mode"])
SHADOW_SCORE = Gauge("twm_shadow_score_scm", "Newest shadow score [SCM], by kind", ["kind"])
SHADOW_COVERAGE = Gauge("twm_shadow_coverage_ratio", "Share of observed KPIs inside the predicted 90 % interval, newest score")
DRIFT_STATE = Gauge(
    "twm_drift_state", "1 for the drift monitor's state (learning, ok, warn, drift), 0 for the others", ["state"]
)
DRIFT_COVERAGE = Gauge("twm_drift_coverage_ratio", "Share of observed KPIs inside the 90 % interval, last blocks", ["kpi"])
DRIFT_RESIDUAL = Gauge("twm_drift_residual_sigma", "CUSUM of normalised residuals, largest over slices", ["kpi"])
DRIFT_SURPRISE = Gauge("twm_drift_surprise_nats", "Mean excess negative log score, newest block", ["kpi"])
SLICE_KPI = Gauge(
    "twm_slice_kpi", "Measured KPI of a slice in the newest frame; unit by KPI (ratio, ms, Mbit/s)", ["slice", "kpi"]
)
SLICE_KPI_PREDICTED = Gauge(
    "twm_slice_kpi_predicted",
    "KPI predicted for the next slow step under the running shares: 5 %, 50 %, 95 %; unit by KPI",
    ["slice", "kpi", "bound"],
)
SLICE_SLA = Gauge("twm_slice_sla_bound", "Largest value that the SLA of a slice allows; unit by KPI", ["slice", "kpi"])
CELL_USED = Gauge(
    "twm_cell_prb_used_ratio", "Share of a cell's PRBs in use in the newest frame (areas of up to 1000 cells)", ["cell"]
)
LINK_USED = Gauge(
    "twm_link_used_ratio",
    "Served load of a link over its capacity in the newest frame; 1 where it is down (up to 1000 links)",
    ["link"],
)
PLAN_SCM = Gauge(
    "twm_plan_scm", "Predicted SLA margin [SCM] of the newest proposal, by policy (recommended, running)", ["policy"]
)
PLAN_SAVING = Gauge("twm_plan_saving_ratio", "Control saving of the newest proposal relative to the uniform allocation")
PLAN_VIOLATION = Gauge("twm_plan_violation_probability", "Probability that the newest proposal violates an SLA, any slice")
PLAN_DISAGREEMENT = Gauge("twm_plan_disagreement_scm", "Ensemble disagreement on the newest proposal [SCM]")
PLAN_OOD = Gauge("twm_plan_ood_score", "How far the newest proposal lies from what the models were trained on")
CERTIFICATE_EXPIRY = Gauge(
    "twm_certificate_expiry_timestamp_seconds", "When a certificate in use ends, Unix time", ["certificate"]
)
EXPLANATIONS = Counter("twm_explanations_total", "Explanations written, by who wrote the text", ["text"])
TOOL_CALLS = Counter("twm_tool_calls_total", "Tool calls of agents, by tool and outcome", ["tool", "outcome"])
TEXTS_REFUSED = Counter("twm_texts_refused_total", "Texts of a language model not taken, by reason", ["reason"])
TEXTS_HELD_BACK = Counter(
    "twm_texts_held_back_total", "Texts from outside that no language model may see: they read like instructions", ["source"]
)
MODEL_CALLS = Counter(
    "twm_language_model_calls_total", "Calls of the language model, by purpose and how they ended", ["purpose", "outcome"]
)
MODEL_SECONDS = Histogram(
    "twm_language_model_seconds",
    "Duration of calls of the language model",
    ["purpose"],
    buckets=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
)
MODEL_CIRCUIT_OPEN = Gauge("twm_language_model_circuit_open", "1 while the language model is not asked after failures in a row")
READINGS = Counter(
    "twm_intent_readings_total",
    "Intents put to the language model beside the grammar, by agreement, or why there was no reading",
    ["outcome"],
)
MODE = Gauge("twm_mode", "1 for the mode in force (shadow, advisory, autonomous, stopped), 0 for the others", ["mode"])
APPROVALS = Counter("twm_approvals_total", "Policies that waited for an approval, by what became of them", ["state"])
REQUESTS_REFUSED = Counter("twm_requests_refused_total", "Requests to the gateway refused, by reason", ["reason"])
AUDIT_RECORDS = Counter("twm_audit_records_total", "Audit records written, by kind", ["kind"])
AUDIT_FOREIGN = Counter("twm_audit_foreign_entries_total", "Entries of the audit stream that do not continue the hash chain")
CONSOLE_STREAMS = Gauge("twm_console_streams", "Live streams that operator consoles hold open")
CONSOLE_REFUSED = Counter("twm_console_streams_refused_total", "Live streams refused because too many are open")

# ric
RIC_MESSAGES = Counter(
    "twm_ric_messages_total", "RMR messages, by type, direction and outcome", ["type", "direction", "outcome"]
)
RIC_SUBSCRIPTIONS = Gauge("twm_ric_subscriptions", "E2 subscriptions wanted, by state (idle, asked, active)", ["state"])
RIC_SUBSCRIPTION_EVENTS = Counter("twm_ric_subscription_events_total", "What became of E2 subscriptions", ["event"])
RIC_NODES = Gauge("twm_ric_e2_nodes", "E2 nodes of the network spec, by state in the RIC's inventory", ["state"])
RIC_REPORTS = Counter("twm_ric_reports_total", "Reports for the ingester, by outcome (stored, or why not)", ["outcome"])
RIC_QUEUE = Gauge("twm_ric_queue_reports", "Reports that wait for the ingester")
RIC_A1_REQUESTS = Counter(
    "twm_ric_a1_requests_total", "A1 policy requests of the RIC, by operation and answer", ["operation", "status"]
)
RIC_CONTROLS = Counter("twm_ric_controls_total", "E2 control requests, by service model and outcome", ["model", "outcome"])
RIC_PM_FILES = Counter("twm_ric_pm_files_total", "Measurement files, by outcome", ["outcome"])

# delivery over A1 (gateway)
A1_REQUESTS = Counter(
    "twm_a1_requests_total", "Requests to the A1 termination, by operation and outcome", ["operation", "outcome"]
)
A1_REQUEST_SECONDS = Histogram(
    "twm_a1_request_seconds", "Time of a request to the A1 termination", ["operation"], buckets=_RPC_BUCKETS
)
A1_POLICIES = Gauge("twm_a1_policies", "Policy instances at the A1 termination as far as is known, by state", ["state"])
A1_RETRIES = Counter("twm_a1_retries_total", "Writes to the A1 termination put off to be tried again, by reason", ["reason"])
A1_CIRCUIT_OPEN = Gauge("twm_a1_circuit_open", "1 while the A1 termination fails so often that only single requests go out")
A1_RECONCILED = Counter(
    "twm_a1_reconciliations_total", "Comparisons with what the A1 termination holds, by outcome", ["outcome"]
)
A1_RECONCILED_TIME = Gauge(
    "twm_a1_last_reconciliation_timestamp_seconds", "When the A1 termination was last compared, Unix time"
)
A1_ORPHANS = Counter("twm_a1_orphans_total", "Own policy instances found at the A1 termination that nobody wants any more")
A1_KEEP_ALIVES = Counter(
    "twm_a1_keep_alives_total", "Signs of life due to the policy management service, by outcome", ["outcome"]
)
A1_CALLBACKS = Counter("twm_a1_callbacks_total", "Callbacks of the A1 termination, by outcome", ["outcome"])
A1_BODIES_REFUSED = Counter("twm_a1_bodies_refused_total", "A1 bodies not taken, by where and why", ["where", "reason"])
A1_LEADER = Gauge("twm_a1_leader", "1 while this process is the one that delivers for its area")

# every process
RPC_SECONDS = Histogram("twm_rpc_seconds", "gRPC calls served, by method and code", ["method", "code"], buckets=_RPC_BUCKETS)
READY = Gauge("twm_ready", "1 while the process is ready")
