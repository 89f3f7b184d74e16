/** The whole page; `demo-script.ts` fills it by the address's query and shows the sections that have something. */
export const DEMO_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Book an appointment · Pillion demo</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="demo.css">
<script src="demo.js" type="module"></script>
</head>
<body>
<header>
<p><a href="./">Pillion demo</a></p>
<p id="account"></p>
</header>
<main>
<h1>Book an appointment</h1>
<p class="note">A made-up practice on an emulator of Zocdoc. This page knows nothing of OAuth: it speaks plain HTTP to
its own origin, and Pillion attaches the visitor’s token.</p>
<noscript><p class="error">This page needs JavaScript.</p></noscript>
<p id="status" role="status"></p>
<p id="error" role="alert" class="error"></p>

<section id="choice" aria-labelledby="choice-title" hidden>
<h2 id="choice-title">Your choice</h2>
<p id="choice-text"></p>
<p id="choice-action"></p>
</section>

<section id="appointments" aria-labelledby="appointments-title" hidden>
<h2 id="appointments-title">Your appointments</h2>
<ul id="appointment-list" class="cards"></ul>
</section>

<section aria-labelledby="search-title">
<h2 id="search-title">Find a provider</h2>
<form id="search">
<label for="specialty">Specialty</label>
<select id="specialty" name="specialty" required></select>
<label for="zip">Zip code</label>
<input id="zip" name="zip" inputmode="numeric" pattern="[0-9]{5}" autocomplete="postal-code" required value="10001"
 title="five digits">
<button>Search</button>
</form>
<ul id="results" class="cards"></ul>
</section>
</main>
</body>
</html>
`;
