"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);

  // Colours stand in the figures as var(--name), so that they follow the reader's light or dark.
  const themed = (value, css) => {
    if (typeof value === "string") return value.replace(/var\((--[\w-]+)\)/g, (_, name) => css.getPropertyValue(name).trim());
    if (Array.isArray(value)) return value.map((item) => themed(item, css));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v, css)]));
    return value;
  };
  const draw = () => {
    const css = getComputedStyle(document.documentElement);
    for (const place of document.querySelectorAll("[data-chart]")) {
      const chart = themed(charts[place.dataset.chart], css);
      Plotly.react(place, chart.data, chart.layout, { displayModeBar: false });
    }
  };
  draw();
  const follow = new ResizeObserver((changes) => changes.forEach(({ target }) => Plotly.Plots.resize(target)));
  for (const place of document.querySelectorAll("[data-chart]")) follow.observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // Paper can't be opened: everything is printed, and then as it was.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((details) => (details.open = false)));

  const buttons = document.querySelectorAll(".filters button");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      for (const card of document.querySelectorAll(".case")) {
        card.hidden = Boolean(button.dataset.kind) && card.dataset.kind !== button.dataset.kind;
      }
    });
  }
})();
