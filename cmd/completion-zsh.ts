import type { CompletedCommand, CompletedOption, Values } from "./completion.ts";

/** For a file `_pillion` on `$fpath`, or `source <(pillion completion zsh)` after `compinit`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef pillion
# Completion of pillion for zsh. Put it on $fpath: pillion completion zsh > "\${fpath[1]}/_pillion"
_pillion() {
  local context state state_descr line
  local -A opt_args
  _arguments -C '1: :->command' '*:: :->arguments'
  case $state in
    command)
      local -a commands=(
${commands.map(({ name, description }) => `        ${quote(`${name}:${description}`)}`).join("\n")}
      )
      _describe command commands
      ;;
    arguments)
      case $words[1] in
${commands.map(commandCase).join("\n")}
      esac
      ;;
  esac
}

_pillion_credentials() {
  local -a names config
  [[ -n \${opt_args[--config]} ]] && config=(--config "\${(Q)opt_args[--config]}")
  [[ -n \${opt_args[-c]} ]] && config=(--config "\${(Q)opt_args[-c]}")
  names=(\${(f)"$(pillion completion --credentials $config 2>/dev/null)"})
  compadd -a names
}

if [[ $funcstack[1] == _pillion ]]; then
  _pillion "$@"
else
  compdef _pillion pillion
fi
`;
}

function commandCase({ name, options, arguments: list }: CompletedCommand): string {
  const specs = [
    ...options.map(optionSpec),
    ...list.map((values, index) => quote(`${index + 1}: :${action(values)}`)),
  ];
  return `        ${name})
          _arguments ${specs.join(" \\\n            ")}
          ;;`;
}

function optionSpec({ flags, description, values }: CompletedOption): string {
  const text = `[${escaped(description)}]${values === undefined ? "" : `: :${action(values)}`}`;
  // A long option takes its value behind = as well.
  const written = flags.map((flag) => (values !== undefined && flag.startsWith("--") ? `${flag}=` : flag));
  const exclusive = flags.length > 1 ? quote(`(${flags.join(" ")})`) : "";
  return written.length > 1
    ? `${exclusive}{${written.join(",")}}${quote(text)}`
    : quote(`${written[0]}${text}`);
}

function action(values: Values): string {
  switch (values.kind) {
    case "choices":
      return `(${values.choices.join(" ")})`;
    case "file":
      return "_files";
    case "credential":
      return "_pillion_credentials";
    case "free":
      return " ";
  }
}

/** Brackets and colons part the fields of a specification. */
function escaped(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, "\\$&");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
