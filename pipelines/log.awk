# Of a training log (pm-train-user --log): each epoch and the mean of what stands under `key` in it.
#   awk -v key=HR@10 -f log.awk log.jsonl
function number(name) {
    if (!match($0, "\"" name "\" *: *[-+.0-9eE]+")) return ""
    text = substr($0, RSTART, RLENGTH)
    sub(/.*: */, "", text)
    return text
}
{
    epoch = number("epoch")
    value = number(key)
    if (epoch == "" || value == "") next
    if (!(epoch in count)) order[++epochs] = epoch
    sum[epoch] += value
    count[epoch]++
}
END {
    for (i = 1; i <= epochs; i++) print order[i], sum[order[i]] / count[order[i]]
}
