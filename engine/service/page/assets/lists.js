// The lists beside the text: findings, suggestions, inferences.

import { $, bar, count, element } from "./dom.js";

const SITE = "https://attack.mitre.org/techniques/";

/** Fill the lists and the choice of tactics. */
export function fillLists(view) {
  const findings = view.entries.filter((entry) => entry.kind === "finding");
  const suggestions = view.entries.filter((entry) => entry.kind === "suggestion");
  for (const [list, items, make] of [
    ["findings", findings, entry], ["suggested", suggestions, entry],
    ["inferences", view.inferences, inference],
  ]) {
    $(list).replaceChildren(...items.map(make));
  }
  $("findings-count").textContent = String(findings.length);
  $("suggestions-count").textContent = String(suggestions.length);
  $("inferences-count").textContent = String(view.inferences.length);
  $("findings-none").hidden = findings.length > 0;
  $("suggestions-section").hidden = !suggestions.length;
  $("inferences-section").hidden = !view.inferences.length;
  $("suggestions").closest("label").hidden = !suggestions.length;
  $("tactic").replaceChildren(
    element("option", { value: "" }, "all"),
    ...view.tactics.map((tactic) => element("option", { value: tactic.id },
      `${tactic.name} (${tactic.percent}, ${tactic.count})`)),
  );
  return { findings: findings.length, suggestions: suggestions.length };
}

const words = (one) => `${one.technique} ${one.name}`.toLowerCase();

function entry(one) {
  const tags = [
    one.explicit ? element("span", { class: "tag" }, "named in the text") : null,
    one.note ? element("span", { class: "tag note" }, one.note) : null,
  ];
  return element("li", {
    class: `entry ${one.kind}`, id: `f${one.number}`, "data-n": one.number,
    "data-p": one.probability, "data-a": one.tactics, "data-kind": one.kind,
    "data-explicit": one.explicit ? "yes" : "no", "data-words": words(one),
  },
  element("button", { type: "button", class: "pick", "aria-pressed": "false" },
    element("span", { class: "id" }, one.technique), " ",
    element("span", { class: "name" }, one.name), " ",
    element("span", { class: "prob" }, one.percent),
    bar(one.probability)),
  element("div", { class: "under" }, quotes(one), ...tags, outward(one)));
}

function quotes(one) {
  if (!one.quotes.length) {
    return element("span", { class: "none" }, "The document as a whole; no single sentence.");
  }
  const lines = one.quotes.map((quote) => element("li", {},
    element("a", { class: "jump", href: `#${quote.target}` }, quote.text), " ",
    element("small", {}, `${quote.place} · ${quote.probability}`)));
  return element("details", {},
    element("summary", {}, count(lines.length, "sentence")), element("ol", {}, ...lines));
}

function inference(one) {
  const because = one.because.flatMap(({ technique, number }, at) => [
    at ? ", " : "",
    number === null ? technique : element("a", { href: `#f${number}`, class: "reason" }, technique),
  ]);
  return element("li", { class: "inference", "data-a": one.tactics, "data-words": words(one) },
    element("p", { class: "row" },
      element("span", { class: "id" }, one.technique), " ",
      element("span", { class: "name" }, one.name)),
    element("div", { class: "under" },
      because.length ? element("span", {}, "because of ", ...because) : null, outward(one)));
}

function outward(one) {
  if (!one.url?.startsWith(SITE)) return null;
  return element("a", {
    class: "out", href: one.url, target: "_blank", rel: "noopener noreferrer external",
    "aria-label": `${one.technique} on attack.mitre.org`,
  }, "ATT&CK ↗");
}
