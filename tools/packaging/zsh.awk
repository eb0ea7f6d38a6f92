# Completion in zsh of a tool, from its table of options:
#   pm-cat --option-table | awk -f zsh.awk > site-functions/_pm-cat
BEGIN { FS = "\t" }
function text(line) {
    gsub(/[\[\]:\\]/, "\\\\&", line)
    gsub(/'/, "'\\''", line)
    return line
}
$1 == "name" {
    print "#compdef " $2
    print "_arguments -s \\"
}
$1 == "option" {
    action = ""
    if ($6 != "") {
        choices = $6
        gsub(/\|/, " ", choices)
        action = ":" text($4) ":(" choices ")"
    } else if ($5 != "flag")
        action = ":" text($4) ":" ($5 == "path" ? "_files" : " ")
    help = "[" text($9) "]"
    if ($3 == "")
        print "    '--" $2 help action "' \\"
    else
        print "    '(-" $3 " --" $2 ")'{-" $3 ",--" $2 "}'" help action "' \\"
}
END { print "    '*:file:_files'" }
