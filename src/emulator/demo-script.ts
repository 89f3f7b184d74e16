/**
 * The page's script, as the browser gets it: no framework, no markup made from text, no token anywhere. What is chosen is
 * in the address, so that it survives the way to the login and back.
 */
export const DEMO_SCRIPT = `const VISITOR = "/zocdoc-anonymous/v1/";
const USER = "/zocdoc-user/v1/";

// The login comes back to localhost: one that begins at another name of this machine would end in another browser's
// cookies.
if (location.hostname === "127.0.0.1") location.hostname = "localhost";

const query = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);
const say = (text) => { byId("status").textContent = text; };

/** An element with properties and children; text is only ever text. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function ask(path, body) {
  const answer = await fetch(path, body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? undefined : answer.json();
  const problem = await answer.json().catch(() => ({}));
  const reasons = (problem.errors ?? []).map(({ field, message }) => [field, message].filter(Boolean).join(" "));
  throw new Error(problem.detail ?? (reasons.join("; ") || "The request failed with status " + answer.status));
}

/** The office's own time, whatever zone the visitor is in. */
function when(startTime) {
  const [, date, time] = /^(\\d{4}-\\d\\d-\\d\\d)T(\\d\\d:\\d\\d)/.exec(startTime) ?? [];
  const day = new Intl.DateTimeFormat("en-US", { weekday: "short", month: "short", day: "numeric", timeZone: "UTC" });
  return date === undefined ? startTime : day.format(new Date(date + "T00:00:00Z")) + ", " + time;
}

const providerOf = (place) => place.provider.full_name + ", " + place.location.address1;

async function showAccount() {
  const session = await ask("/.pillion/session");
  const here = location.pathname + location.search;
  if (!session.signed_in) {
    const href = "/.pillion/login/zocdoc-user?" + new URLSearchParams({ return_to: here });
    byId("account").replaceChildren("Not signed in. ", element("a", { href, textContent: "Sign in" }));
    return false;
  }
  const leave = element("button", { type: "button", textContent: "Sign out" });
  leave.addEventListener("click", () => run(async () => {
    await fetch("/.pillion/logout", { method: "POST" });
    location.assign("./");
  }));
  byId("account").replaceChildren("Signed in. ", leave);
  return true;
}

async function showSearch() {
  const { data } = await ask(VISITOR + "specialties");
  byId("specialty").append(...data.map(({ id, name }) => element("option", { value: id, textContent: name })));
  if (query.has("specialty")) byId("specialty").value = query.get("specialty");
  if (query.has("zip")) byId("zip").value = query.get("zip");
}

async function showResults() {
  say("Searching …");
  const wanted = { zip_code: query.get("zip"), specialty_id: query.get("specialty"), page_size: 5 };
  const { data } = await ask(VISITOR + "provider_locations?" + new URLSearchParams(wanted));
  const reason = data.search_parameters.visit_reason_id;
  const places = data.provider_locations;
  const slots = new Map();
  if (places.length > 0) {
    const found = await ask(VISITOR + "provider_locations/availability?" + new URLSearchParams({
      provider_location_ids: places.map((place) => place.provider_location_id).join(","),
      visit_reason_id: reason,
      patient_type: "new",
    }));
    for (const { provider_location_id, timeslots } of found.data) slots.set(provider_location_id, timeslots);
  }
  byId("results").replaceChildren(...places.map((place) => {
    const times = (slots.get(place.provider_location_id) ?? []).slice(0, 4).map(({ start_time }) => {
      const choice = { location: place.provider_location_id, reason, start: start_time };
      const link = element("a", { href: "?" + new URLSearchParams(choice), textContent: when(start_time) });
      link.setAttribute("aria-label", when(start_time) + " with " + place.provider.full_name);
      return element("li", {}, link);
    });
    return element("li", {},
      element("h3", { textContent: place.provider.full_name }),
      element("p", { className: "quiet", textContent: place.location.address1 + ", " + place.location.city }),
      element("ul", { className: "slots" }, ...times));
  }));
  say(places.length === 0 ? "Nobody found." : places.length + " providers found. Choose a time.");
}

async function showChoice(signedIn) {
  const id = query.get("location");
  const { data } = await ask(VISITOR + "provider_locations/" + encodeURIComponent(id));
  byId("choice").hidden = false;
  byId("choice-text").textContent = when(query.get("start")) + " with " + providerOf(data);
  if (!signedIn) {
    const here = location.pathname + location.search;
    const href = "/.pillion/login/zocdoc-user?" + new URLSearchParams({ return_to: here });
    byId("choice-action").replaceChildren(
      element("a", { href, className: "button", textContent: "Sign in to book" }));
    return;
  }
  const button = element("button", { type: "button", textContent: "Book" });
  button.addEventListener("click", () => run(async () => {
    button.disabled = true;
    try {
      const booked = await ask(USER + "appointments", bookingOf(id));
      location.assign("?" + new URLSearchParams({ booked: booked.data.appointment_id }));
    } finally {
      button.disabled = false;
    }
  }));
  byId("choice-action").replaceChildren(button);
}

function bookingOf(providerLocationId) {
  return {
    appointment_type: "providers",
    data: {
      start_time: query.get("start"),
      visit_reason_id: query.get("reason"),
      provider_location_id: providerLocationId,
      patient_type: "new",
      patient: {
        first_name: "Sample",
        last_name: "Patient",
        date_of_birth: "1990-01-01",
        sex_at_birth: "female",
        phone_number: "2125550100",
        email_address: "patient@example.com",
        patient_address: { address1: "1 Example Street", city: "New York", state: "NY", zip_code: "10001" },
      },
    },
  };
}

async function showAppointments() {
  const { data } = await ask(USER + "appointments");
  const cards = await Promise.all(data.map(async (appointment) => {
    const id = encodeURIComponent(appointment.provider_location_id);
    const place = await ask(VISITOR + "provider_locations/" + id);
    const state = appointment.appointment_status.replaceAll("_", " ");
    return element("li", {},
      element("h3", { textContent: when(appointment.start_time) }),
      element("p", { textContent: providerOf(place.data) }),
      element("p", { className: "quiet", textContent: "Status: " + state }));
  }));
  byId("appointments").hidden = cards.length === 0;
  byId("appointment-list").replaceChildren(...cards);
  if (data.some(({ appointment_id }) => appointment_id === query.get("booked"))) say("Your appointment is booked.");
}

/** Whatever goes wrong is said where a screen reader hears it. */
async function run(task) {
  byId("error").textContent = "";
  try {
    await task();
  } catch (error) {
    say("");
    byId("error").textContent = error.message;
  }
}

await run(async () => {
  // One after the other: the first request makes the visitor's session.
  const signedIn = await showAccount();
  await showSearch();
  if (query.has("location")) await showChoice(signedIn);
  if (query.has("zip")) await showResults();
  if (signedIn) await showAppointments();
});
document.body.dataset.ready = "";
`;
