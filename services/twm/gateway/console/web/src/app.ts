// What the views share.
import type { NetworkMap, Now, Session } from "./types";

export interface App {
  session: Session;
  map: NetworkMap;
  now: Now | null;
  toast: (kind: "good" | "bad" | "info", text: string) => void;
  /** Read the status line and the view again, now. */
  refresh: () => void;
}

export interface View {
  element: HTMLElement;
  /** `changed`: names of streams and records; "poll": anything may have. */
  update: (changed: Set<string>) => Promise<void>;
  /** Colours have changed. */
  recolour?: () => void;
  close?: () => void;
}

export function touches(changed: Set<string>, ...names: string[]): boolean {
  return changed.has("poll") || names.some((name) => changed.has(name));
}
