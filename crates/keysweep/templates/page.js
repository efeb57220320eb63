// Keeps what is shown up to date: loads the view again as often as it says, unless somebody is using it.
"use strict";
(() => {
  const { live, seconds } = document.body.dataset;
  if (live === undefined) return;
  let touched = false;
  document.addEventListener("input", () => { touched = true; });

  const say = (text) => {
    const place = document.getElementById("live");
    if (place && place.textContent !== text) place.textContent = text;
  };

  const inUse = () => {
    const focus = document.activeElement;
    if (touched || (focus && focus !== document.body && focus.id !== "main")) return true;
    const opened = [...document.querySelectorAll("details")].some((it) => it.open !== it.hasAttribute("data-open"));
    const selection = document.getSelection();
    return opened || (selection !== null && !selection.isCollapsed);
  };

  const refresh = async () => {
    if (document.hidden) return;
    if (inUse()) {
      say("Not refreshed while you use this page.");
      return;
    }
    let fresh;
    try {
      // As a browser asks for a page: without a session, keysweep then leads to the login.
      const answer = await fetch(location.href, { cache: "no-store", headers: { accept: "text/html" } });
      // The session is over: the browser shows where to log in.
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      say(`keysweep does not answer; trying again every ${live}.`);
      return;
    }
    if (inUse()) return;
    // The outcome of a decision stays until the person goes on.
    const said = document.getElementById("said");
    document.title = fresh.title;
    document.body.replaceChildren(...fresh.body.childNodes);
    if (said && !document.getElementById("said")) document.querySelector(".title")?.after(said);
    say(`Refreshed every ${live}.`);
  };

  say(`Refreshed every ${live}.`);
  setInterval(refresh, Number(seconds) * 1_000);
  document.addEventListener("visibilitychange", refresh);
})();
