// What the gateway answers with, as far as the page reads it (OpenAPI at /openapi.json).
export type Num = number | null;

export interface Session {
  subject: string; role: string; may_operate: boolean; may_approve: boolean; development: boolean;
  area_id: string; network: string; slow_step_s: number; horizon_steps: number;
}
export interface Layer { id: string; label: string; unit: string; low: number; high: number; bad: string; bound: Num; note: string }
export interface Place { id: string; x_km: number; y_km: number }
export interface SliceSla { id: string; loss_max_ratio: Num; delay_p99_max_ms: Num; throughput_min_mbps: Num }
export interface NetworkMap {
  cells: Place[]; nodes: Place[]; cell_node: (number | null)[]; zones: { id: string; cells: number[] }[];
  links: { id: string; source: number; target: number; capacity_mbps: number }[]; slices: SliceSla[]; layers: Layer[];
}
export interface Now {
  area_id: string; mode: string; stopped: boolean; mode_version: number; ready: boolean; newest_step: number | null;
  newest_start: string | null; frame_age_s: Num; expected_every_s: Num; stale: boolean; missing_report_count: Num; report_count: Num;
  waiting_count: number; in_force: string; intents_active: number; drift_state: string; last_decision: string;
  audit_sequence: number; audit_problem: string; guardrail_version: string;
}
export interface Fan { policy: string; levels: number[]; values: Num[][][][] }
export interface Series {
  kpis: string[]; steps: number[]; starts: number[]; values: Num[][][]; offered_mbps: Num[][]; scm: Num[];
  link_used: Num[][]; link_up: Num[][]; forecast_step: number | null; fans: Fan[]; forecast_problem: string;
}
export interface Field {
  layer: string; steps: number[]; values: Num[][];
  forecast: { step: number; offsets: number[]; low: Num[][]; median: Num[][]; high: Num[][]; model: string } | null;
  forecast_problem: string;
}
export interface DecisionRow {
  step: number; start: string; decided: string; decision: string; handling: string; state: string; source: string; headline: string;
  scm: Num; running_scm: Num; violation_probability: Num; saving_ratio: Num;
}
export interface Candidate {
  origin: string; scm_mean: Num; violation_probability: Num; disagreement: Num; saving_ratio: Num; score: Num; twin_scm_mean: Num;
  twin_violation_ratio: Num; twin_passed: boolean | null; scm_cvar: Num; ood_score: Num; move: Num;
}
export interface FrontPoint { origin: string; saving_ratio: Num; scm_mean: Num; violation_probability: Num; candidate_index: number | null }
export interface Interval { low?: Num; median: Num; high?: Num }
export interface Explanation {
  headline: string; text: string; text_source: string;
  moves: { resource: string; span: string; scope: string; slice: string; before_share: number; after_share: number }[];
  forecasts: {
    slice: string; kpi: string; over_steps: string; proposed?: Interval; running?: Interval; change_from_running?: Interval; bound?: Num;
  }[];
  turns: { outcome: string; quantity: string; unit: string; now: Num; turning_point: Num; settable: boolean; check: string }[];
}
export interface Approval {
  state: string; proposal_sha256: string; created: string; expires: string; waits_for: string; decided_by: string;
  decided: string | null; reason: string;
}
export interface Check { name: string; passed: boolean; value: Num; bound: Num; message: string }
export interface Decision {
  row: DecisionRow; created: string; effective: string; fallback_reason: string; chosen_index: number | null;
  runner_up_index: number | null; evaluation_count: number; twin_call_count: number; disagreement: Num; ood_score: Num;
  slice_violation_probability: Record<string, Num>; candidates: Candidate[]; front: FrontPoint[]; fans: Fan[]; kpis: string[];
  models: Record<string, string>[]; timings: Record<string, Num>;
  intents: { intent_id: string; constraint_index: number; violation_probability: Num; running_violation_probability: Num }[];
  guardrail_version: string; handling_reason: string; checks: Check[]; explanation: Explanation | null; approval: Approval | null;
}
export interface Mode {
  mode: string; stopped: boolean; version: number; changed_by: string; changed: string | null; reason: string;
  missing_for_autonomous: string[]; critical_zones: string[]; critical_slices: string[];
}
export interface Question { code: string; field: string; text: string; choices: string[] }
export interface Compiled {
  intent_id: string | null; intent: unknown; told: string[]; questions: Question[]; compiler: string; agreement: string;
}
export interface Intent {
  intent_id: string; state: string; subject: string; changed: string; expires: string | null; priority: number; source: string;
  text: string; told: string[];
}
export interface AuditRecord { sequence: number; written: string; kind: string; payload: unknown; previous_hash: string; hash: string }
export interface Score {
  step: number; decision: string; observed_step_count: number; observed_scm: Num; running_predicted_scm: Num;
  recommended_predicted_scm: Num; coverage_ratio: Num; mean_absolute_error: Record<string, Num>; action_distance: Num;
}
export interface ScoreSummary {
  count: number; accepted_count: number; observed_scm: Num; running_predicted_scm: Num; running_scm_error: Num;
  recommended_predicted_scm: Num; predicted_gain_scm: Num; coverage_ratio: Num; mean_absolute_error: Record<string, Num>;
}
export interface Drift {
  state: string; reasons: string[]; since_step: number | null; last_step: number | null; model: string; blocks: number;
  coverage: Record<string, { share: number; lower: number; upper: number }>; residual_sigma: Record<string, number>;
  surprise_nats: Record<string, number>; changes: { step: number; state: string; reason: string }[];
}
export interface ModelCard {
  name: string; version: string; contract: string; network: string; fits: boolean; in_use: boolean; digest: string; created: string;
  window: number; horizon_steps: number; members: number; graphs: Record<string, string>; coverage_level: Num;
  data: Record<string, unknown>; training: Record<string, unknown>; adaptation: Record<string, unknown> | null;
  quality: Record<string, number | string>;
}
