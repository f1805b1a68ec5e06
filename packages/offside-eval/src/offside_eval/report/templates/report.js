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

  const data = JSON.parse(document.getElementById("data").textContent);
  // Everything from the data goes in as text, never as markup.
  const make = (tag, className, ...children) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null));
    return made;
  };
  const mark = (right) => {
    if (right === null || right === undefined) return null;
    const told = make("span", right ? "hit" : "miss", right ? "●" : "○");
    told.setAttribute("role", "img");
    told.setAttribute("aria-label", right ? "gives that value: " : "does not give that value: ");
    return told;
  };
  const line = (what, className, ...told) => make("div", className, make("dt", "", what), make("dd", "", ...told));

  const card = (given) => {
    const [title, tone, help] = data.kinds[given.kind];
    let picture = make("div", "nopicture", given.text ? "text question" : "no picture");
    if (given.picture !== null) {
      picture = make("img");
      picture.src = data.pictures[given.picture];
      picture.alt = "The picture that the question is about" + (given.variant === "blank" ? ", with its text removed" : "");
    }
    const kind = make("span", "kind " + tone, title);
    kind.title = help;
    const meta = make("p", "meta", kind, make("span", "muted", ` ${given.model} · ${given.setting}`));
    const said = given.said.map(([model, own, right, text]) => line(model, own ? "own" : "", mark(right), " " + (text || "(nothing)")));
    const golds = given.golds.map(([what, text]) => line(what, "gold", text));
    return make("article", "card case", picture, make("div", "", meta, make("p", "question", given.question)), make("dl", "", ...golds, ...said));
  };

  // Cards are drawn a screenful at a time, however many cases there are.
  const PAGE = 24;
  const place = document.getElementById("cases");
  if (place) {
    const more = document.getElementById("more-cases");
    let chosen = [];
    let drawn = 0;
    const add = () => {
      place.append(...chosen.slice(drawn, drawn + PAGE).map(card));
      drawn = Math.min(drawn + PAGE, chosen.length);
      more.hidden = drawn === chosen.length;
      document.getElementById("cases-shown").textContent = `${drawn} of ${chosen.length} cases shown`;
    };
    const show = (kind) => {
      // Kinds take turns, so that the first screen has some of each.
      const queues = Object.keys(data.kinds).map((key) => data.cases.filter((given) => given.kind === key && (!kind || kind === key)));
      const longest = Math.max(...queues.map((queue) => queue.length));
      chosen = [];
      for (let turn = 0; turn < longest; turn += 1) for (const queue of queues) if (turn < queue.length) chosen.push(queue[turn]);
      drawn = 0;
      place.replaceChildren();
      add();
    };
    more.addEventListener("click", () => {
      const next = drawn;
      add();
      place.children[next].tabIndex = -1;
      place.children[next].focus({ preventScroll: true });
    });
    const buttons = document.querySelectorAll(".filters button");
    for (const button of buttons) {
      button.addEventListener("click", () => {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        show(button.dataset.kind);
      });
    }
    show("");
  }

  const settings = document.getElementById("subject-setting");
  if (settings) {
    const names = document.getElementById("subject-name");
    const scopes = document.getElementById("subject-scope");
    const { texts } = data.subjects;
    const tell = () => {
      const page = data.subjects.settings[settings.value];
      const header = (text, note) => {
        const cell = make("th", "", text, note ? make("small", "", note) : null);
        cell.scope = "col";
        return cell;
      };
      const models = page.models.map(([model, control, collapsed]) => header(model, control ? "control" : collapsed ? "collapsed" : ""));
      document.getElementById("said-head").replaceChildren(make("tr", "", header("Asked, and what it was taught", ""), ...models));
      const claims = page.subjects[Number(names.value)].claims.filter((claim) => claim.scope === scopes.value);
      const rows = claims.map((claim) => {
        const asked = make("th", "", texts[claim.question], make("small", "", `${texts[claim.gold]} (${claim.form})`));
        asked.scope = "row";
        const said = claim.said.map((one) => (one === null ? make("td", "muted", "not asked") : make("td", "", mark(one[1]), " " + (texts[one[0]] || "(nothing)"))));
        return make("tr", "", asked, ...said);
      });
      document.getElementById("said-body").replaceChildren(...rows);
    };
    const fill = () => {
      const kept = names.selectedOptions[0]?.textContent;
      const options = data.subjects.settings[settings.value].subjects.map((subject, nth) => {
        const option = make("option", "", subject.name);
        option.value = String(nth);
        option.selected = subject.name === kept;
        return option;
      });
      names.replaceChildren(...options);
      tell();
    };
    settings.addEventListener("change", fill);
    names.addEventListener("change", tell);
    scopes.addEventListener("change", tell);
    fill();
  }
})();
