# golden_runs [WORD…]: runs of the released code are done again, with the words before pm-train-user and pm-eval and with
# $golden_options behind them; their first ten losses, and the ranks of all users before training, are the same.
golden_runs() {
    local golden name side streams
    for name in text-only-sasrec modal-merge_attn-sasrec; do
        golden=$PROJECT/tests/golden/runs/$name streams=()
        pm-import -q --model "$golden/init.safetensors" --config "$golden/config.json" -o out-init.pmt
        for side in text image; do
            [[ $name = modal* || $name = $side* ]] || continue
            pm-import -q --items "$golden/items.tsv" --hidden ${side}_hidden \
                $([ $side = text ] && echo --mask text_mask) "$golden/features.safetensors" -o out-$side.pmt
            streams+=(--$side out-$side.pmt)
        done
        "$@" pm-train-user -q "${golden_options[@]}" --users "$golden/users.tsv" "${streams[@]}" --init out-init.pmt \
            --config "$golden/config.json" --epochs 10 --keep last --log out.jsonl -o out-model.pmt
        jq -r 'select(.step) | .loss' out.jsonl | paste - <(head -n 10 "$golden/losses.tsv") |
            awk '{ d = $1 / $2 - 1 } d > 1e-4 || d < -1e-4 { print; wrong = 1 } END { exit wrong || NR != 10 }'
        pm-fuse -q "${golden_options[@]}" --model out-init.pmt "${streams[@]}" -o out-items.pmt
        "$@" pm-eval -q "${golden_options[@]}" --model out-init.pmt --users "$golden/users.tsv" --items out-items.pmt \
            --split valid --ranks out-ranks.tsv > out-figures
        [ "$(cut -f 2 out-ranks.tsv | paste -sd ' ')" = "$(awk -F '\t' '$1 == "init" && $2 == "valid" { print $3 }' "$golden/ranks.tsv")" ]
        rm -f out*
    done
}
