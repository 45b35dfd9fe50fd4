// The live stream: server-sent events read with fetch (EventSource cannot carry a token), taken up again by the last id.
import { failure, headers } from "./api";

export type LiveState = "connecting" | "live" | "polling" | "offline";
const SILENT_MS = 25000;
const FULL_RETRY_MS = 20000;
const POLL_MS = 10000;

export interface LiveHandlers {
  news: (changed: Set<string>) => void;
  state: (state: LiveState, note: string) => void;
  unauthorised: () => void;
}

export class Live {
  private lastId = "";
  private stopper: AbortController | null = null;
  private running = false;

  constructor(private readonly on: LiveHandlers) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    void this.run();
  }

  stop(): void {
    this.running = false;
    this.stopper?.abort();
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (this.running) {
      const outcome = await this.once();
      if (!this.running || outcome === "unauthorised") { this.running = false; break; }
      if (outcome === "ended") { failures = 0; continue; }
      if (outcome === "full") {
        this.on.state("polling", `all live streams are taken: refreshing every ${POLL_MS / 1000} s`);
        for (let waited = 0; waited < FULL_RETRY_MS && this.running; waited += POLL_MS) {
          this.on.news(new Set(["poll"]));
          await pause(POLL_MS);
        }
        continue;
      }
      failures += 1;
      this.on.state("offline", "connection lost: trying again");
      await pause(Math.min(15000, 1000 * 2 ** Math.min(failures, 4)) * (0.7 + 0.6 * Math.random()));
    }
  }

  private async once(): Promise<"ended" | "lost" | "full" | "unauthorised"> {
    const stopper = new AbortController();
    this.stopper = stopper;
    let watch = window.setTimeout(() => stopper.abort(), SILENT_MS);
    const alive = (): void => { window.clearTimeout(watch); watch = window.setTimeout(() => stopper.abort(), SILENT_MS); };
    try {
      const asked: Record<string, string> = { Accept: "text/event-stream", ...headers() };
      if (this.lastId) asked["Last-Event-ID"] = this.lastId;
      const answer = await fetch("./v1/console/events", { headers: asked, signal: stopper.signal, cache: "no-store" });
      if (!answer.ok || !answer.body) {
        const error = await failure(answer);
        if (error.status === 401 || error.status === 403) { this.on.unauthorised(); return "unauthorised"; }
        return error.status === 429 ? "full" : "lost";
      }
      this.on.state("live", "");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return "ended";
        alive();
        text += value;
        let cut: number;
        while ((cut = text.indexOf("\n\n")) >= 0) {
          this.take(text.slice(0, cut));
          text = text.slice(cut + 2);
        }
        if (text.length > 65536) return "lost";
      }
    } catch {
      return "lost";
    } finally {
      window.clearTimeout(watch);
    }
  }

  private take(block: string): void {
    let kind = "message", data = "", id = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) kind = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
      else if (line.startsWith("id: ")) id = line.slice(4);
    }
    if (id) this.lastId = id;
    if (kind === "news") {
      this.on.state("live", "");
      this.on.news(new Set((JSON.parse(data) as { changed: string[] }).changed));
    } else if (kind === "trouble") this.on.state("live", (JSON.parse(data) as { detail: string }).detail);
  }
}

export function pause(ms: number): Promise<void> { return new Promise((done) => window.setTimeout(done, ms)); }
