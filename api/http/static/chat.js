/* The founder's side of a conversation, live. Without this script the page's own form does the same. */
(() => {
  "use strict";
  const thread = document.querySelector("[data-conversation]");
  if (!thread) return;
  const API = `/api/founder/v1/conversations/${thread.dataset.conversation}`;
  const list = document.getElementById("messages");
  const log = document.getElementById("log");
  const form = document.getElementById("say");
  const problem = document.getElementById("problem");
  const latest = !new URLSearchParams(location.search).has("before");

  async function call(path, body) {
    const answer = await fetch(API + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    return said;
  }

  function show(message) {
    if (!latest || list.querySelector(`[data-seq="${message.seq}"]`)) return;
    const item = document.createElement("li");
    item.className = message.sender;
    item.dataset.seq = message.seq;
    const who = document.createElement("span");
    who.className = "visually-hidden";
    who.textContent = message.sender === "founder" ? "You:" : "They:";
    const words = document.createElement("p");
    words.dir = "auto";
    words.textContent = message.text;
    const time = document.createElement("time");
    time.dateTime = message.created_at;
    time.textContent = "just now";
    item.append(who, words, time);
    const after = [...list.children].find((other) => Number(other.dataset.seq) > message.seq);
    list.insertBefore(item, after ?? null);
    log.scrollTop = log.scrollHeight;
  }

  function read(seq) {
    if (latest && document.visibilityState === "visible") call("/read", { seq }).catch(() => {});
  }

  function refreshList() {
    window.htmx?.trigger(document.querySelector(".chat-list"), "said");
  }

  function complain(words) {
    problem.textContent = words;
    problem.hidden = !words;
  }

  let seen = Number(thread.dataset.last);
  function follow() {
    const stream = new EventSource(`${API}/stream?after=${seen}`);
    stream.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      seen = message.seq;
      show(message);
      read(seen);
      refreshList();
    });
    stream.addEventListener("end", () => {
      stream.close();
      setTimeout(follow, 1000 * (0.5 + Math.random()));
    });
    stream.addEventListener("open", () => complain(""));
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) complain("The live connection ended. Reload the page.");
    });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = form.elements.text.value;
    const clientId = form.elements.client_id;
    form.elements.text.value = "";
    try {
      show(await call("/messages", { client_id: clientId.value, text }));
      clientId.value = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
      complain("");
      refreshList();
    } catch (error) {
      // The same client_id goes along with the next try: what did arrive is not there twice.
      form.elements.text.value = form.elements.text.value || text;
      complain(error.message || "Not sent. Try again.");
    }
  });
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  document.addEventListener("visibilitychange", () => read(seen));

  log.scrollTop = log.scrollHeight;
  follow();
})();
