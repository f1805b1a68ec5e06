"use strict";
/* A grid of cards of which only those in sight exist, so that ten thousand are as quick as ten. */

(() => {
  const { make } = offsideView.elements;
  const GAP = 14;
  const ROWS_AROUND = 2;

  /**
   * Put a grid into `place`.
   * @param {Element} place Where.
   * @param {object} options `items`: anything; `card(item)`: its element, a link; `label`: of the list;
   *   `width`: least width of a card; `caption`: height below the square picture; all in pixels.
   */
  offsideView.makeGrid = (place, { items, card, label, width, caption }) => {
    const list = make("div.grid", { role: "list", "aria-label": label });
    place.replaceChildren(list);
    const shown = new Map();
    let columns = 1;
    let side = width;
    let current = 0;

    const rowHeight = () => side + caption + GAP;

    function measure() {
      const space = list.clientWidth || place.clientWidth;
      const least = space < 500 ? Math.min(width, (space - GAP) / 2) : width;
      columns = Math.max(1, Math.floor((space + GAP) / (least + GAP)));
      side = (space - GAP * (columns - 1)) / columns;
      list.style.height = `${Math.max(0, Math.ceil(items.length / columns) * rowHeight() - GAP)}px`;
    }

    function draw() {
      const top = list.getBoundingClientRect().top;
      const first = Math.max(0, Math.floor(-top / rowHeight()) - ROWS_AROUND);
      const last = Math.ceil((window.innerHeight - top) / rowHeight()) + ROWS_AROUND;
      const from = first * columns;
      const to = Math.min(items.length, last * columns);
      for (const [place_, element] of shown) {
        // What has the focus stays, or the keyboard would lose its place.
        if ((place_ < from || place_ >= to) && !element.contains(document.activeElement)) {
          element.remove();
          shown.delete(place_);
        }
      }
      for (let k = from; k < to; k += 1) {
        if (!shown.has(k)) shown.set(k, add(k));
        position(shown.get(k), k);
      }
    }

    function add(k) {
      const inner = card(items[k]);
      inner.tabIndex = k === current ? 0 : -1;
      inner.addEventListener("focus", () => select(k, false));
      const cell = make("div.cell", { role: "listitem", "aria-setsize": items.length, "aria-posinset": k + 1 }, inner);
      list.append(cell);
      return cell;
    }

    function position(cell, k) {
      const x = (k % columns) * (side + GAP);
      const y = Math.floor(k / columns) * rowHeight();
      cell.style.transform = `translate(${x}px, ${y}px)`;
      cell.style.width = `${side}px`;
      cell.style.height = `${side + caption}px`;
    }

    function select(k, focus) {
      if (items.length === 0) return;
      const link = (place_) => shown.get(place_)?.firstElementChild;
      if (link(current)) link(current).tabIndex = -1;
      current = Math.min(items.length - 1, Math.max(0, k));
      if (focus) {
        const y = list.getBoundingClientRect().top + Math.floor(current / columns) * rowHeight();
        const header = document.querySelector(".top").offsetHeight;
        if (y < header + 8) window.scrollBy(0, y - header - 14);
        else if (y + rowHeight() > window.innerHeight) window.scrollBy(0, y + rowHeight() - window.innerHeight + 10);
        draw();
      }
      if (link(current)) link(current).tabIndex = 0;
      if (focus) link(current)?.focus({ preventScroll: true });
    }

    /** Move by a key; says whether it was one for the grid. */
    function key(name) {
      const page = Math.max(1, Math.floor(window.innerHeight / rowHeight()) - 1) * columns;
      const steps = {
        ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page,
        Home: -items.length, End: items.length,
      };
      if (!(name in steps)) return false;
      const inside = list.contains(document.activeElement);
      select(inside ? current + steps[name] : current, true);
      return true;
    }

    let waiting = false;
    function later() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    }
    const resized = new ResizeObserver(() => { measure(); later(); });
    resized.observe(place);
    window.addEventListener("scroll", later, { passive: true });
    measure();
    draw();

    return {
      key,
      select,
      end() {
        resized.disconnect();
        window.removeEventListener("scroll", later);
      },
    };
  };
})();
