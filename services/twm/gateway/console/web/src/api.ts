// Requests to the gateway: bearer token in memory, or for this tab where the operator says so; errors as one kind.
const TOKEN = "twm-token";
const TIMEOUT_MS = 15000;

export class ApiError extends Error {
  constructor(readonly status: number, readonly title: string, readonly detail: string, readonly retryAfterS = 0) { super(detail || title); }
  get offline(): boolean { return this.status === 0; }
}

let token = "";
try { token = sessionStorage.getItem(TOKEN) ?? ""; } catch { /* no storage */ }
let onUnauthorised: (error: ApiError) => void = () => undefined;

export function signIn(value: string, keep: boolean): void {
  token = value.trim();
  try { if (keep && token) sessionStorage.setItem(TOKEN, token); else sessionStorage.removeItem(TOKEN); } catch { /* no storage */ }
}
export function hasToken(): boolean { return token !== ""; }
export function whenUnauthorised(act: (error: ApiError) => void): void { onUnauthorised = act; }
export function headers(): Record<string, string> { return token ? { Authorization: `Bearer ${token}` } : {}; }

/** What an answer that is no success says. */
export async function failure(answer: Response): Promise<ApiError> {
  let title = answer.statusText, detail = "";
  try {
    const body: unknown = await answer.json();
    if (body && typeof body === "object") {
      const said = body as { title?: unknown; detail?: unknown; questions?: { text?: unknown }[] };
      if (typeof said.title === "string") title = said.title;
      if (typeof said.detail === "string") detail = said.detail;
      if (!detail && Array.isArray(said.questions)) detail = said.questions.map((q) => String(q.text ?? "")).join(" ");
    }
  } catch { /* no JSON: the status says enough */ }
  return new ApiError(answer.status, title, detail, Number(answer.headers.get("Retry-After")) || 0);
}

export async function ask(path: string, method = "GET", body?: unknown): Promise<Response> {
  const init: RequestInit = { method, headers: { Accept: "application/json", ...headers() }, signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store", credentials: "same-origin" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    (init.headers as Record<string, string>)["Content-Type"] = "application/json";
  }
  try {
    return await fetch(`./${path}`, init);
  } catch {
    throw new ApiError(0, "No answer", "The gateway does not answer.");
  }
}

export async function get<T>(path: string): Promise<T> { return send<T>("GET", path); }

export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await ask(path, method, body);
  if (!answer.ok) {
    const error = await failure(answer);
    if (error.status === 401) onUnauthorised(error);
    throw error;
  }
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

/** An error in words an operator can act on. */
export function inWords(error: unknown): { title: string; text: string } {
  if (!(error instanceof ApiError)) {
    console.error(error);
    return { title: "Something went wrong", text: String(error) };
  }
  switch (error.status) {
    case 0: return { title: "Gateway not reachable", text: "No answer. The page tries again by itself." };
    case 401: return { title: "Sign-in needed", text: error.detail };
    case 403: return { title: "Not allowed", text: error.detail };
    case 404: return { title: "Not there", text: error.detail };
    case 409: return { title: "Changed meanwhile", text: error.detail };
    case 429: return { title: "Too many requests", text: `${error.detail}${error.retryAfterS ? ` Wait ${error.retryAfterS} s.` : ""}` };
    case 503: return { title: "Streams are away", text: error.detail || "Redis does not answer." };
    default: return { title: error.title || `Error ${error.status}`, text: error.detail };
  }
}
