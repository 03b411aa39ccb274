// The report's text as elements: paragraphs, lists, tables and listings, evidence marked.

import { element } from "./dom.js";

/**
 * Build the document.
 *
 * @param {Object} view - the analysis' view, as the service wrote it
 * @returns {DocumentFragment}
 */
export function buildDocument(view) {
  const whole = document.createDocumentFragment();
  for (const group of view.groups) {
    const page = group.blocks[0].page;
    if (page) whole.append(element("div", { class: "page" }, element("span", {}, `Page ${page}`)));
    whole.append(...buildGroup(group, view.entries));
  }
  if (!view.groups.length) whole.append(element("p", { class: "none" }, "This report has no text."));
  return whole;
}

function buildGroup({ kind, blocks }, entries) {
  const chipsOf = (block) => chips(block, entries);
  if (kind === "table_row") {
    const rows = blocks.map((block) => element("tr", {},
      ...block.cells.map((cell) => element("td", { dir: "auto" }, ...parts(cell))),
      block.chips.length ? element("td", { class: "side" }, chipsOf(block)) : null));
    const region = { class: "scroll", role: "region", "aria-label": "Table", tabindex: "0" };
    return [element("div", region, element("table", {}, element("tbody", {}, ...rows)))];
  }
  if (kind === "list_item") {
    const items = blocks.map((block) => element("li", { class: "block" },
      element("div", { class: "text", dir: "auto" },
        element("span", { class: "lead" }, block.lead || "•"), ...parts(block.cells[0])),
      chipsOf(block)));
    return [element("ul", { class: "list" }, ...items)];
  }
  if (kind === "code") {
    const lines = blocks.map((block) => element("div", { class: "block" },
      element("code", { class: "text" }, ...parts(block.cells[0])), chipsOf(block)));
    return [element("div", { class: "code" }, ...lines)];
  }
  return blocks.map((block) => element("div", { class: "block" },
    element(kind === "heading" ? "h2" : "p", { class: "text", dir: "auto" },
      block.lead && kind !== "heading" ? `${block.lead} ` : null, ...parts(block.cells[0])),
    chipsOf(block)));
}

function parts(cell) {
  return cell.flatMap((part) => {
    const turn = part.page
      ? element("span", { class: "turn", role: "note" }, `page ${part.page}`)
      : null;
    const pieces = part.pieces.map(piece);
    if (!part.sentence) return [turn, ...pieces];
    const first = part.index !== undefined;
    const marks = { class: "s", id: first ? `s${part.index}` : null, tabindex: first ? "-1" : null };
    return [turn, element("span", marks, ...pieces)];
  }).filter((node) => node !== null);
}

function piece({ text, numbers, level = 0, named = false, suggested = false }) {
  if (!numbers) return document.createTextNode(text);
  const kind = `p${level}${named ? " named" : ""}${suggested ? " sug" : ""}`;
  return element("mark", { class: kind, "data-f": numbers }, text);
}

function chips(block, entries) {
  if (!block.chips.length) return null;
  const links = block.chips.flatMap((number) => {
    const entry = entries[number];
    return [element("a", { class: `chip ${entry.kind}`, href: `#f${number}`, "data-f": number },
      element("b", {}, entry.technique), ` ${entry.name} `, element("i", {}, entry.percent)), " "];
  });
  return element("span", { class: "chips" }, ...links);
}
