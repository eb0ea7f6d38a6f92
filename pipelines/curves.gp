# Validation HR@10 by epoch, with the baselines as lines across, and training loss by epoch, as SVG to standard output.
#   gnuplot -c curves.gp log.awk build/demo "modal text-only" "popularity co-occurrence" > curves.svg
# Reads FOLDER/RUN/log.jsonl, as pm-train-user --log writes it, and FOLDER/BASELINE/valid.json of pm-eval --json.
reader = ARG1
folder = ARG2
runs = ARG3
baselines = ARG4
log_of(run, key) = sprintf("< awk -v key=%s -f %s %s/%s/log.jsonl", key, reader, folder, run)
level_of(name) = name eq "" ? NaN : real(system(sprintf("tr -d '\\n' < %s/%s/valid.json | sed 's/.*\"HR@10\" *: *\\([-+.0-9eE]*\\).*/\\1/'", \
                                     folder, name)))

set terminal svg size 960,440 font "sans,13" background "white"
set multiplot layout 1,2 title "Runs of ".system("basename ".folder) noenhanced margins 0.1,0.98,0.28,0.88 spacing 0.12,0
set xlabel "epoch"
set grid ytics lc rgb "#dddddd"
set border 3 lc rgb "#666666"
set tics nomirror out
set style line 1 lw 2 pt 7  ps 0.5 lc rgb "#0072b2"
set style line 2 lw 2 pt 5  ps 0.5 lc rgb "#d55e00"
set style line 3 lw 2 pt 9  ps 0.5 lc rgb "#009e73"
set style line 4 lw 2 pt 11 ps 0.5 lc rgb "#cc79a7"
set style line 5 lw 2 pt 13 ps 0.5 lc rgb "#e69f00"
set style line 6 lw 2 pt 15 ps 0.5 lc rgb "#666666"
set style line 7 lw 2 pt 6  ps 0.5 lc rgb "#56b4e9"

# Room around what is there, also around a single epoch, where gnuplot would have to guess.
first = 1; last = 1; least = 1e300; most = -1e300
do for [i = 1:words(runs)] {
    stats log_of(word(runs, i), "loss") using 1 name "EPOCHS" nooutput
    stats log_of(word(runs, i), "loss") using 2 name "LOSS" nooutput
    if (EPOCHS_min < first) { first = EPOCHS_min }
    if (EPOCHS_max > last) { last = EPOCHS_max }
    if (LOSS_min < least) { least = LOSS_min }
    if (LOSS_max > most) { most = LOSS_max }
}
room = most > least ? 0.08 * (most - least) : 0.5
set xrange [first - 0.5:last + 0.5]
if (last <= 12) { set xtics 1, 1 }

set ylabel "HR@10 in validation" noenhanced
set yrange [0:*]
set key at screen 0.5,0.02 bottom center vertical noenhanced samplen 2 maxrows 2
plot for [i = 1:words(runs)] log_of(word(runs, i), "HR@10") with linespoints ls i title word(runs, i), \
     for [i = 1:words(baselines)] level_of(word(baselines, i)) with lines lw 2 dt i + 1 lc rgb "#444444" title word(baselines, i)

set ylabel "training loss"
set yrange [least - room:most + room]
unset key
plot for [i = 1:words(runs)] log_of(word(runs, i), "loss") with linespoints ls i notitle
unset multiplot
