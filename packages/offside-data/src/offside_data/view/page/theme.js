"use strict";
/* Dark or light, before anything is painted: as chosen here before, else as the system says. */

(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("offside-theme");
  } catch { /* Some browsers keep nothing for pages from disk. */ }
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
