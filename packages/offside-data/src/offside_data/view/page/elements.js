"use strict";
/* Elements from texts: everything that comes from a dataset becomes text, never markup. */

(() => {
  /** An element: `make("a.card", {href: "#"}, "text", child, …)`; null and empty children are left out. */
  function make(selector, attributes = {}, ...children) {
    const [name, ...classes] = selector.split(".");
    const element = document.createElement(name);
    if (classes.length > 0) element.className = classes.join(" ");
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }

  /** A name of the data model in words: `birth_date` becomes "birth date". */
  const words = (name) => (name === null ? "none" : name.replaceAll("_", " "));
  const number = (value) => value.toLocaleString("en");
  const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

  function badge(kind, text, title = null) {
    return make(`span.badge.${kind}`, { title }, text);
  }

  /** A picture of the grid, or a note in its place. */
  function thumbnail(data, picture, alt) {
    const source = picture >= 0 ? data.small(picture) : "";
    if (!source) return make("span.missing", {}, picture < 0 ? "text only" : data.problem(picture) ? "not readable" : "no picture stored");
    return make("img", { src: source, alt, decoding: "async", draggable: "false" });
  }

  /** What a picture shows, for people who don't see it. */
  function altText(data, picture) {
    const name = data.subjectName(data.pictureSubject(picture));
    const what = data.twin(picture) ? `twin (${data.twin(picture)}) of a picture` : "picture";
    return name ? `${what} of ${name}` : `${what} ${data.pictureId(picture)}`;
  }

  /** A web address as a link, anything else (also `javascript:`) as text. */
  function link(address) {
    return /^https?:\/\//i.test(address)
      ? make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, address)
      : address;
  }

  offsideView.elements = { make, words, number, plural, badge, thumbnail, altText, link };
})();
