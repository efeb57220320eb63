// What holds on every page of keysweep, wherever a random walk of Bombadil leads. `tests/tests/browser/walk.rs` runs it.

import { always, next } from "@antithesishq/bombadil";
import { actions, extract, weighted } from "@antithesishq/bombadil/browser";
import { lastAction, navigation, scroll } from "@antithesishq/bombadil/browser/defaults/actions";
import { getFingerprint } from "@antithesishq/bombadil/browser";
import { SECRETS } from "./secrets.ts";

export {
  noConsoleErrors,
  noHttpErrorCodes,
  noUncaughtExceptions,
  noUnhandledPromiseRejections,
} from "@antithesishq/bombadil/browser/defaults/properties";

const secret = extract((state) => {
  const html = state.document.documentElement?.outerHTML ?? "";
  return SECRETS.some((it) => html.includes(it));
});
export const noSecretInAPage = always(() => !secret.current);

// On the page of a key that keysweep deactivated, the first form that decides is the undo.
const undo = extract((state) => {
  if (!/^\/keys\/[A-Z0-9]+$/.test(state.window.location.pathname)) return null;
  const chip = state.document.querySelector("main p .chip")?.textContent;
  if (chip !== "deactivated") return null;
  const form = state.document.querySelector("main form[method=post]");
  return form?.querySelector("input[name=decision]")?.getAttribute("value") ?? "none";
});
export const aDeactivatedKeyCanBeUndone = always(() => undo.current === null || undo.current === "reactivate");

// Whether a pause shows; null on what is no view.
const paused = extract((state) =>
  state.document.querySelector("header nav") ? state.document.querySelector(".alarm") !== null : null,
);
const listed = extract((state) => {
  const stops = state.document.querySelector("#stops");
  return stops ? [...stops.querySelectorAll("h3")].some((it) => /^Pause \d/.test(it.textContent ?? "")) : null;
});
export const theOverviewListsWhatTheAlarmSays = always(
  () => listed.current === null || paused.current === null || listed.current === paused.current,
);

// A pause shows on every view: no link leads to one where it does not, and no link ends or begins one.
const followed = () => {
  const last = lastAction.current;
  return last !== null && typeof last === "object" && "Click" in last && last.Click.fingerprint.href !== null;
};
export const aLinkChangesNothing = always(() => {
  const before = paused.current;
  return next(() => !followed() || before === null || paused.current === null || before === paused.current);
});

// Everything to click but what ends the session, and links that save a file.
const targets = extract((state) => {
  const elements = state.document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, label.choice");
  const out = (element: Element) =>
    element.closest("form[action='/logout'], form[action='/sessions/revoke']") !== null ||
    /\.(csv|json)(\?|$)|\/evidence$/.test(element.getAttribute("href") ?? "");
  return [...elements].filter((it) => !out(it)).flatMap((element) => {
    const box = element.getBoundingClientRect();
    const point = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const inside = point.x > 0 && point.y > 0 && point.x < state.window.innerWidth && point.y < state.window.innerHeight;
    return inside && box.width > 0 ? [{ fingerprint: getFingerprint(element), point }] : [];
  });
});
const clicks = actions(() => targets.current.map((target) => ({ Click: target })));

const field = extract((state) => {
  const element = state.document.activeElement;
  const isText = element instanceof HTMLInputElement && ["text", "search"].includes(element.type);
  return isText ? { empty: element.value === "" } : null;
});
const type = actions(() => {
  if (field.current === null) return [];
  const typed = { TypeText: { text: { Text: [1, 40] as [number, number] }, delayMillis: 1 } };
  return field.current.empty ? [typed] : [{ PressKey: { code: 13 } }];
});

export const walk = weighted([
  [10, type],
  [8, clicks],
  [2, scroll],
  [1, navigation],
]);
