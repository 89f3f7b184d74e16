import type { CompletedCommand, CompletedOption, Values } from "./completion.ts";

/** For `pillion completion fish | source`, or a file in `~/.config/fish/completions`. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion of pillion for fish: pillion completion fish > ~/.config/fish/completions/pillion.fish
function __pillion_credentials
    set -l words (commandline -opc)
    set -l config
    for index in (seq (count $words))
        switch $words[$index]
            case -c --config
                set config --config $words[(math $index + 1)]
            case '--config=*'
                set config $words[$index]
        end
    end
    $words[1] completion --credentials $config 2>/dev/null
end

complete -c pillion -f
${commands.flatMap(commandLines).join("\n")}
`;
}

function commandLines({ name, description, options, arguments: list }: CompletedCommand): readonly string[] {
  const seen = `-n '__fish_seen_subcommand_from ${name}'`;
  return [
    `complete -c pillion -n __fish_use_subcommand -a ${name} -d ${quote(description)}`,
    ...options.map((option) => `complete -c pillion ${seen} ${optionWords(option)}`),
    ...list.flatMap((values) => {
      const words = offered(values);
      return words === "" ? [] : [`complete -c pillion ${seen} ${words}`];
    }),
  ];
}

function optionWords({ flags, description, values }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = values === undefined ? "" : ` -r ${offered(values)}`.trimEnd();
  return `${names.join(" ")}${value} -d ${quote(description)}`;
}

function offered(values: Values): string {
  switch (values.kind) {
    case "choices":
      return `-f -a ${quote(values.choices.join(" "))}`;
    case "file":
      return "-F";
    case "credential":
      return "-f -a '(__pillion_credentials)'";
    case "free":
      return "";
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
