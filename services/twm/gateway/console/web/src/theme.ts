// Runs before the first paint: the theme that was chosen, else the system's.
try {
  const kept = localStorage.getItem("twm-theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset["theme"] = kept;
} catch {
  // no storage: the system's theme
}
export {};
