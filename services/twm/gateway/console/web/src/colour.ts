// Colours: a scale that reads the same with every kind of colour vision and in grey (anchors of viridis), and the page's own tokens.
const ANCHORS: [number, number, number][] = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
];

export type Rgb = [number, number, number];

/** 0..1 to a colour; `flip`: dark end for 1. */
export function scale(at: number, flip: boolean): Rgb {
  const t = Math.min(1, Math.max(0, flip ? 1 - at : at)) * (ANCHORS.length - 1);
  const i = Math.min(ANCHORS.length - 2, Math.floor(t)), f = t - i, a = ANCHORS[i]!, b = ANCHORS[i + 1]!;
  return [Math.round(a[0] + (b[0] - a[0]) * f), Math.round(a[1] + (b[1] - a[1]) * f), Math.round(a[2] + (b[2] - a[2]) * f)];
}
export const css = (c: Rgb): string => `rgb(${c[0]},${c[1]},${c[2]})`;

export function token(name: string): string { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

export function isDark(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen ? chosen === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
}
