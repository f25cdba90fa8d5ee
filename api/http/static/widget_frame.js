/* The frame's side of the widget. It believes its parent only, at the one origin that its page was made for;
   the token lives in this closure and nowhere else. */
(() => {
  "use strict";
  const partner = document.body.dataset.origin;
  const CHAT = "/api/widget/v1/chat";
  const list = document.getElementById("messages");
  const log = document.getElementById("log");
  const state = document.getElementById("state");
  const form = document.getElementById("say");
  const box = document.getElementById("text");

  let token = null;
  const waiting = []; // wakes all who wait for the next one
  let refreshing = 0;
  let last = 0; // everything up to this `seq` has been seen
  let over = false;
  let begun = false;

  const tell = (said) => window.parent.postMessage({ firstuser: 1, ...said }, partner);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== partner) return;
    const said = event.data;
    if (said && said.firstuser === 1 && said.type === "token" && typeof said.token === "string") take(said.token);
  });

  function take(given) {
    const claims = claimsOf(given);
    if (!claims || claims.org !== partner) return;
    token = given;
    // Counted from now on and not by the clock on the wall, which may be wrong here.
    const lives = (claims.exp - claims.iat) * 1000;
    clearTimeout(refreshing);
    refreshing = setTimeout(refresh, lives - Math.min(60_000, lives / 3));
    for (const wake of waiting.splice(0)) wake();
    if (!begun) begin();
  }

  function claimsOf(given) {
    try {
      const part = given.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(atob(part));
    } catch {
      return null;
    }
  }

  function refresh() {
    if (over) return;
    tell({ type: "refresh" });
    clearTimeout(refreshing);
    refreshing = setTimeout(refresh, 10_000); // until one comes
  }

  async function call(path, { method = "GET", body, headers = {}, signal, again = true } = {}) {
    const used = token;
    const answer = await fetch(CHAT + path, {
      method,
      signal,
      cache: "no-store",
      credentials: "omit",
      headers: {
        Authorization: `Bearer ${used}`,
        "Widget-Origin": partner,
        ...(body ? { "Content-Type": "application/json" } : {}),
        ...headers,
      },
      body: body ? JSON.stringify(body) : undefined,
    });
    if (answer.status === 401 && again) {
      await tokenOtherThan(used);
      return call(path, { method, body, headers, signal, again: false });
    }
    if (answer.status === 403) end("This conversation has ended: your access was taken back or is paused.");
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(problem.detail || "That did not work."), { status: answer.status });
    }
    return answer;
  }

  async function tokenOtherThan(used) {
    if (token !== used) return;
    refresh();
    while (token === used) await new Promise((resolve) => waiting.push(resolve));
  }

  async function begin() {
    begun = true;
    for (let wait = 1; !over; wait = Math.min(wait * 2, 30)) {
      try {
        const loaded = await (await call("/load", { method: "POST" })).json();
        document.getElementById("name").textContent = loaded.space_name;
        loaded.messages.data.forEach(show);
        last = loaded.last_seq;
        box.disabled = false;
        form.elements.send.disabled = false;
        say("");
        read();
        return follow();
      } catch (error) {
        say(`${error.message} Trying again.`);
        await pause(wait * 1000);
      }
    }
  }

  async function follow() {
    for (let wait = 1; !over; ) {
      try {
        const line = new AbortController();
        const headers = { "Last-Event-ID": String(last) };
        const answer = await call("/stream", { headers, signal: line.signal });
        say("");
        wait = 1;
        const reason = await hear(answer.body.getReader(), line);
        if (reason === "revoked" || reason === "disabled") {
          end("This conversation has ended: your access was taken back or is paused.");
        }
      } catch (error) {
        if (!over) say("Connection lost. Connecting again.");
        await pause(wait * 1000 * (0.5 + Math.random()));
        wait = Math.min(wait * 2, 30);
      }
    }
  }

  async function hear(reader, line) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      // The server says something at least every 15 seconds; a line that is silent for longer is dead.
      const silence = setTimeout(() => line.abort(), 40_000);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return "";
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const field = Object.fromEntries(
          event.split("\n").filter((line) => !line.startsWith(":")).map((line) => line.split(/: (.*)/s, 2)),
        );
        if (field.event === "end") return JSON.parse(field.data).reason;
        if (field.event === "message") {
          show(JSON.parse(field.data));
          last = Number(field.id);
          read();
        }
      }
    }
  }

  function show(message) {
    if (list.querySelector(`[data-seq="${message.seq}"]`)) return;
    list.querySelector(`[data-client="${message.client_id}"]`)?.remove();
    const item = bubble(message.sender, message.text);
    item.dataset.seq = message.seq;
    const after = [...list.children].find((other) => Number(other.dataset.seq ?? Infinity) > message.seq);
    list.insertBefore(item, after ?? null);
    settle();
  }

  function bubble(sender, text) {
    const item = document.createElement("li");
    item.className = sender;
    const who = document.createElement("span");
    who.className = "visually-hidden";
    who.textContent = sender === "user" ? "You: " : "Founder: ";
    const words = document.createElement("p");
    words.dir = "auto";
    words.textContent = text;
    item.append(who, words);
    return item;
  }

  function settle() {
    log.scrollTop = log.scrollHeight;
    tell({ type: "size", height: document.body.scrollHeight - log.clientHeight + list.offsetHeight + 32 });
  }

  function read() {
    if (last && document.visibilityState === "visible") {
      call("/read", { method: "POST", body: { seq: last } }).catch(() => {}); // the next one says it again
    }
  }

  async function send(text, clientId) {
    const item = bubble("user", text);
    item.dataset.client = clientId;
    item.classList.add("sending");
    list.append(item);
    settle();
    for (let tries = 1; !over; tries += 1) {
      try {
        const answer = await call("/messages", { method: "POST", body: { client_id: clientId, text } });
        return show(await answer.json());
      } catch (error) {
        if (error.status && error.status < 500 && error.status !== 429) {
          item.remove();
          if (!box.value) box.value = text;
          return say(error.message);
        }
        say("Not sent yet. Trying again.");
        await pause(Math.min(2 ** tries, 30) * 1000);
      }
    }
  }

  function say(words) {
    if (!over) state.textContent = words;
    settle();
  }

  function end(words) {
    say(words);
    over = true;
    token = null;
    box.disabled = true;
    form.elements.send.disabled = true;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text || !token) return;
    box.value = "";
    say("");
    send(text, crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random().toString(36).slice(2)}`);
    box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  document.addEventListener("visibilitychange", read);
  tell({ type: "ready" });
  settle();
})();
