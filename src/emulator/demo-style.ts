export const DEMO_STYLE = `:root {
  color-scheme: light dark;
  --line: light-dark(#c4c7c5, #5f6368);
  --control: light-dark(#747775, #8e918f);
  --quiet: light-dark(#50565c, #b9bec4);
  --accent: light-dark(#0b57d0, #a8c7fa);
  --on-accent: light-dark(#fff, #062e6f);
  --bad: light-dark(#b3261e, #f2b8b5);
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 44rem; padding: 0 1rem 3rem; font: 1rem/1.5 system-ui, sans-serif;
  background: Canvas; color: CanvasText }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; align-items: center;
  border-bottom: 1px solid var(--line) }
header p { margin: .5rem 0 }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 1.5rem 0 .5rem }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 0 }
a { color: var(--accent) }
label { display: block; margin-top: .75rem; font-weight: 600 }
input, select, button, .button { font: inherit; min-height: 2.75rem; padding: .5rem .75rem; border-radius: .375rem;
  border: 1px solid var(--control) }
input, select { width: 100%; background: Field; color: FieldText }
button, .button { display: inline-block; background: var(--accent); border-color: var(--accent);
  color: var(--on-accent); font-weight: 600; text-decoration: none; cursor: pointer }
form button { margin-top: 1rem; width: 100% }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.note, .quiet { color: var(--quiet) }
.error:not(:empty) { color: var(--bad); font-weight: 600 }
.cards, .slots { list-style: none; margin: 0; padding: 0 }
.cards > li { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin-top: .75rem }
.cards p { margin: 0 }
.slots { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .5rem }
.slots a { display: inline-block; min-height: 2.75rem; padding: .5rem .75rem; border: 1px solid var(--accent);
  border-radius: .375rem; text-decoration: none }
`;
