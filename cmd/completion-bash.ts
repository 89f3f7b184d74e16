import type { CompletedCommand, Values } from "./completion.ts";

/** For `source <(pillion completion bash)`. Needs no bash-completion package, and bash 3.2 at least, as macOS has it. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion of pillion for bash. Put into ~/.bashrc: source <(pillion completion bash)
_pillion() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  # bash parts words at =, so that --config=x are three.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(" ")} help --help' -- "$cur"))
    return
  fi
  local command=\${COMP_WORDS[1]}
  case "$command $prev" in
${commands.flatMap(optionCases).join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${commands.map(({ name, options }) => `      ${name}) COMPREPLY=($(compgen -W '${options.flatMap(({ flags }) => flags).join(" ")}' -- "$cur")) ;;`).join("\n")}
    esac
    return
  fi
  # Which argument it is: those before it, without options and their values.
  local word position=0 index skip=
  for ((index = 2; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ -n $skip ]]; then
      skip=
    elif [[ $word == = ]]; then
      skip=1
    elif [[ $word == -* ]]; then
      case "$command $word" in
${commands.flatMap(valuedFlags).join("\n")}
      esac
      [[ \${COMP_WORDS[index+1]} == = ]] && skip=
    else
      position=$((position + 1))
    fi
  done
  case "$command $position" in
${commands.flatMap(({ name, arguments: list }) => list.flatMap((values, index) => offer(`${name} ${index}`, values))).join("\n")}
  esac
}

_pillion_credentials() {
  local index config=()
  for ((index = 2; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
      -c | --config)
        [[ \${COMP_WORDS[index+1]} == = ]] && index=$((index + 1))
        config=(--config "\${COMP_WORDS[index+1]}")
        ;;
    esac
  done
  "\${COMP_WORDS[0]}" completion --credentials "\${config[@]}" 2>/dev/null
}

complete -F _pillion pillion
`;
}

function optionCases({ name, options }: CompletedCommand): readonly string[] {
  return options.flatMap(({ flags, values }) =>
    values === undefined
      ? []
      : [`    ${patterns(name, flags)}) ${action(values)}${values.kind === "free" ? "" : "; "}return ;;`],
  );
}

function valuedFlags({ name, options }: CompletedCommand): readonly string[] {
  const flags = options.filter(({ values }) => values !== undefined).flatMap((option) => option.flags);
  return flags.length === 0 ? [] : [`        ${patterns(name, flags)}) skip=1 ;;`];
}

function patterns(command: string, flags: readonly string[]): string {
  return flags.map((flag) => `"${command} ${flag}"`).join(" | ");
}

function offer(pattern: string, values: Values): readonly string[] {
  return values.kind === "free" ? [] : [`    "${pattern}") ${action(values)} ;;`];
}

function action(values: Values): string {
  switch (values.kind) {
    case "choices":
      return `COMPREPLY=($(compgen -W '${values.choices.join(" ")}' -- "$cur"))`;
    case "file":
      return `local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))`;
    case "credential":
      return `COMPREPLY=($(compgen -W "$(_pillion_credentials)" -- "$cur"))`;
    case "free":
      return "";
  }
}
