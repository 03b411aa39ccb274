// Build elements. Strings become text nodes and nothing else: no text of a report is ever markup.

export const $ = (id) => document.getElementById(id);

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Object} attributes - a value of false or null leaves the attribute out, true sets it empty
 * @param {...(Node|string|null)} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A bar as long as the probability; the number stands beside it, so it is for the eye alone. */
export function bar(share) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("viewBox", "0 0 100 4");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [kind, width] of [["rail", 100], ["fill", Math.round(share * 1000) / 10]]) {
    const rect = document.createElementNS(space, "rect");
    rect.setAttribute("class", kind);
    rect.setAttribute("width", String(width));
    rect.setAttribute("height", "4");
    svg.append(rect);
  }
  return svg;
}

/** "1 finding", "3 findings". */
export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
