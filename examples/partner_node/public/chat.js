// FirstUser's chat in the page: it asks for a token whenever it needs one, and our back end says whose.

FirstUser.mount({
  container: "#chat",
  getToken: async () => {
    const answer = await fetch("/firstuser/widget-token", { method: "POST" });
    if (!answer.ok) throw new Error(`no widget token: ${answer.status}`);
    return answer.json();
  },
});
