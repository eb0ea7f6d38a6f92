# Completion in bash of a tool, from its table of options:
#   pm-cat --option-table | awk -f bash.awk > completions/pm-cat
BEGIN { FS = "\t" }
$1 == "name" { program = $2 }
$1 == "option" {
    words = words " --" $2
    option = "--" $2 ($3 == "" ? "" : " | -" $3)
    if ($6 != "") {
        choices = $6
        gsub(/\|/, " ", choices)
        cases = cases "        " option ") COMPREPLY=($(compgen -W \"" choices "\" -- \"$word\")) ;;\n"
    } else if ($5 == "path")
        cases = cases "        " option ") COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
    else if ($5 != "flag")
        cases = cases "        " option ") COMPREPLY=() ;;\n"
}
END {
    word = program
    gsub(/-/, "_", word)
    print "# bash completion of " program
    print "_" word "() {"
    print "    local word=${COMP_WORDS[COMP_CWORD]}"
    print "    case ${COMP_WORDS[COMP_CWORD-1]} in"
    printf "%s", cases
    print "        *)"
    print "            case $word in"
    print "                -*) COMPREPLY=($(compgen -W \"" substr(words, 2) "\" -- \"$word\")) ;;"
    print "                *) COMPREPLY=($(compgen -f -- \"$word\")) ;;"
    print "            esac"
    print "            ;;"
    print "    esac"
    print "}"
    print "complete -o filenames -F _" word " " program
}
