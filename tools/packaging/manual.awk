# The man page of a tool, in mdoc, from its table of options:
#   pm-cat --option-table | awk -v date="November 28, 2026" -f manual.awk > pm-cat.1
BEGIN { FS = "\t" }

# What mdoc would take for markup is text.
function text(line) {
    gsub(/\\n/, " ", line)
    gsub(/\\/, "\\e", line)
    gsub(/'/, "\\(aq", line)
    return line
}
# Words in lines of at most 78 bytes, a new one for each sentence; a full stop at the start of a line is no macro.
function flow(line, words, count, i, width, out) {
    count = split(text(line), words, " ")
    for (i = 1; i <= count; i++) {
        if (i == 1 || width + 1 + length(words[i]) > 78 || words[i - 1] ~ /\.$/) {
            out = out (i == 1 ? "" : "\n") (words[i] ~ /^\./ ? "\\&" : "")
            width = 0
        } else
            out = out " "
        out = out words[i]
        width += 1 + length(words[i])
    }
    return out
}
function literal(line) {
    gsub(/\\n/, "\n", line)
    gsub(/\\/, "\\e", line)
    gsub(/'/, "\\(aq", line)
    return line
}
# The purpose up to its first full stop, without it, as the NAME section wants.
function summary(line) {
    gsub(/\\n/, " ", line)
    sub(/\. .*/, "", line)
    sub(/\.$/, "", line)
    return text(tolower(substr(line, 1, 1)) substr(line, 2))
}
function describe(i) {
    printf ".It %s%s%s\n", letter[i] ? "Fl " letter[i] " , " : "", "Fl -" name[i], argument[i] ? " Ar " text(argument[i]) : ""
    print flow(help[i] (value[i] == "" ? "" : " [" value[i] "]"))
}
function list(wanted, i) {
    print ".Bl -tag -width Ds"
    for (i = 1; i <= options; i++)
        if (setting[i] == wanted) describe(i)
    print ".El"
}

$1 == "name" { program = $2 }
$1 == "usage" { usage = $2 }
$1 == "purpose" { purpose = $2 }
$1 == "example" { example = $2 }
$1 == "option" {
    name[++options] = $2
    letter[options] = $3
    argument[options] = $4
    value[options] = $7
    setting[options] = $8
    settings += $8 != ""
    help[options] = $9
}

END {
    print ".Dd " date
    print ".Dt " toupper(program) " 1"
    print ".Os"
    print ".Sh NAME"
    print ".Nm " program
    print ".Nd " summary(purpose)
    print ".Sh SYNOPSIS"
    forms = split(usage, form, / *\\n */)
    for (i = 1; i <= forms; i++) {
        sub("^" program " ", "", form[i])
        print ".Nm"
        print flow(form[i])
    }
    print ".Sh DESCRIPTION"
    print flow(purpose)
    print ".Pp"
    print "The options are:"
    list("")
    if (settings) {
        print ".Pp"
        print "Settings, which are also keys of the JSON object that"
        print ".Fl -config"
        print "names:"
        list("setting")
    }
    print ".Sh EXIT STATUS"
    print "0 when all is done, 1 when something failed, 2 on wrong usage."
    print ".Sh EXAMPLES"
    print ".Bd -literal"
    print literal(example)
    print ".Ed"
}
