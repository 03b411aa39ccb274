// What the page asks of the service. The key lives in this module's memory and goes into one
// header of requests to this origin; it is never stored.

const OUTPUTS = ["view", "navigator", "stix", "csv", "html"];
const INFERENCES = 10;
const TITLES = {
  401: "The service asks for a key",
  408: "Sending took too long",
  413: "The report is too large",
  415: "The service does not read this",
  421: "Wrong address",
  422: "The report cannot be read",
  429: "The service is busy",
  500: "The service has a fault",
  503: "The service is not ready",
};

let key = "";

export const useKey = (given) => { key = given.trim(); };
export const hasKey = () => key !== "";

/** A refusal, in words for a person. `wait` is in seconds, where asking again later helps. */
export class Refusal extends Error {
  constructor(status, title, message, wait = null) {
    super(message);
    this.status = status;
    this.title = title;
    this.wait = wait;
  }
}

/** Release and health. */
export async function ready() {
  try {
    const answer = await fetch("/ready", { cache: "no-store" });
    const told = await answer.json();
    return answer.ok ? { ok: true, ...told } : { ok: false, problem: told.error?.message ?? "" };
  } catch {
    return { ok: false, problem: "It does not answer." };
  }
}

export const releases = () => ask("/v1/releases", { method: "GET" });

/** Analyse a text or a file; a signal breaks it off. */
export function analyse({ text, file, point }, signal) {
  const options = { operating_point: point, inferences: INFERENCES };
  if (!file) {
    const body = JSON.stringify({ text, outputs: OUTPUTS, ...options });
    const headers = { "Content-Type": "application/json" };
    return ask("/v1/analyse", { method: "POST", headers, body, signal });
  }
  const body = new FormData();
  body.append("file", file, file.name);
  for (const [name, value] of Object.entries(options)) body.append(name, String(value));
  for (const output of OUTPUTS) body.append("outputs", output);
  return ask("/v1/analyse", { method: "POST", body, signal });
}

async function ask(path, options) {
  const headers = { Accept: "application/json", ...options.headers };
  if (key) headers.Authorization = `Bearer ${key}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The service does not answer",
      "It may have been stopped, or the connection broke off. Try again; if that fails, ask its admin.");
  }
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

async function refusal(answer) {
  let message = "";
  try {
    message = (await answer.json()).error?.message ?? "";
  } catch {
    // A proxy in between answers in its own words, which are not for analysts.
  }
  const wait = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  return new Refusal(
    answer.status,
    TITLES[answer.status] ?? `The service refused (${answer.status})`,
    message || "It did not say why. Its log has the details.",
    Number.isFinite(wait) ? Math.max(wait, 1) : null,
  );
}
