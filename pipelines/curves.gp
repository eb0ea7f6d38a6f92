# Validation HR@10 by epoch and training loss by epoch of several runs, as SVG to standard output.
#   gnuplot -c curves.gp log.awk build/demo "modal text-only" > curves.svg
# Reads FOLDER/RUN/log.jsonl, as pm-train-user --log writes it.
reader = ARG1
folder = ARG2
runs = ARG3
log_of(run, key) = sprintf("< awk -v key=%s -f %s %s/%s/log.jsonl", key, reader, folder, run)

set terminal svg size 960,420 font "sans,13" background "white"
set multiplot layout 1,2
set xlabel "epoch"
set grid ytics lc rgb "#dddddd"
set border 3 lc rgb "#666666"
set tics nomirror out
set yrange [0:*]
set style line 1 lw 2 pt 7  ps 0.5 lc rgb "#0072b2"
set style line 2 lw 2 pt 5  ps 0.5 lc rgb "#d55e00"
set style line 3 lw 2 pt 9  ps 0.5 lc rgb "#009e73"
set style line 4 lw 2 pt 11 ps 0.5 lc rgb "#cc79a7"
set style line 5 lw 2 pt 13 ps 0.5 lc rgb "#e69f00"
set style line 6 lw 2 pt 15 ps 0.5 lc rgb "#666666"

set ylabel "HR@10 in validation" noenhanced
set key outside top center horizontal noenhanced samplen 2
plot for [i = 1:words(runs)] log_of(word(runs, i), "HR@10") with linespoints ls i title word(runs, i)

set ylabel "training loss"
set yrange [*:*]
plot for [i = 1:words(runs)] log_of(word(runs, i), "loss") with linespoints ls i title word(runs, i)
unset multiplot
