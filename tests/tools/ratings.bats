#!/usr/bin/env bats
# formats/examples/ratings.py: data sets as they come, each written here as its own documentation has it.

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

ratings() { python3 "$PROJECT/formats/examples/ratings.py" "$@"; }

# all FORMAT FILE…: everything is kept, in data/.
all() { ratings "$@" --min-user 1 --min-item 1 -o data; }

@test "MovieLens, ratings.dat and movies.dat, and the tools take what is written" {
    printf '%s\n' 2::20::3::200 1::10::5::300 1::30::4::100 1::20::1::200 2::10::5::100 > ratings.dat
    printf '10::Am\xe9lie (2001)::Comedy|Romance\n20::Heat (1995)::Action\n30::Up (2009)::Animation\n40::Alone (1999)::Drama\n' > movies.dat
    run all movielens ratings.dat movies.dat
    [ "$status" -eq 0 ]
    [ "$output" = "3 items (0 without a text), 2 users, 5 events" ]
    [ "$(cat data/items.tsv)" = $'10\tAmélie (2001). Comedy, Romance.\n20\tHeat (1995). Action.\n30\tUp (2009). Animation.' ]
    [ "$(cat data/users.tsv)" = $'2\t10 20\n1\t30 20 10' ]
    all movielens ratings.dat movies.dat --all-items --min-rating 3
    [ "$(cut -f 1 data/items.tsv | paste -sd ' ')" = "10 20 30 40" ]
    [ "$(cat data/users.tsv)" = $'2\t10 20\n1\t30 10' ]
    pm-tokenize -q --bytes data/items.tsv -o t.pmt
    pm-eval -q --baseline popularity --users data/users.tsv --catalog data/items.tsv --split test 2>&1 | grep -q 'none of the 2 users'
}

@test "MovieLens, ratings.csv and movies.csv" {
    printf 'userId,movieId,rating,timestamp\n1,10,4.0,20\n1,20,3.5,10\n' | gzip > ratings.csv.gz
    printf 'movieId,title,genres\n10,"Heat, The (1995)",Action|Crime\n20,Up (2009),Animation\n' > movies.csv
    all movielens ratings.csv.gz movies.csv
    [ "$(cat data/items.tsv)" = $'10\tHeat, The (1995). Action, Crime.\n20\tUp (2009). Animation.' ]
    [ "$(cat data/users.tsv)" = $'1\t20 10' ]
}

@test "RecBole, .inter and .item" {
    printf 'user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\ta\t5\t2.5\nu\tb\t1\t1.5\n' > x.inter
    printf 'item_id:token\ttitle:token_seq\tgenre:token_seq\nb\tSecond "b\tDrama\na\tFirst a\t\n' > x.item
    all recbole x.inter x.item
    [ "$(cat data/items.tsv)" = $'b\tSecond "b. Drama\na\tFirst a' ]
    [ "$(cat data/users.tsv)" = $'u\tb a' ]
    printf 'user_id:token\titem_id:token\nu\ta\nu\tb\n' > x.inter # without times: the order of the file
    all recbole x.inter
    [ "$(cat data/users.tsv)" = $'u\ta b' ]
    [ "$(cat data/items.tsv)" = $'a\t\nb\t' ]
}

@test "Amazon Reviews, of 2023 and before" {
    printf '%s\n' '{"rating": 5.0, "asin": "A1", "parent_asin": "P1", "user_id": "u", "timestamp": 1600000000001}' \
        '{"rating": 4.0, "asin": "A2", "parent_asin": "P2", "user_id": "u", "timestamp": 1600000000000}' > reviews.jsonl
    printf '%s\n' '{"parent_asin": "P1", "title": "A  thing"}' '{"parent_asin": "P2", "title": null}' > meta.jsonl
    all amazon reviews.jsonl meta.jsonl
    [ "$(cat data/items.tsv)" = $'P1\tA thing\nP2\t' ]
    [ "$(cat data/users.tsv)" = $'u\tP2 P1' ]
    printf '%s\n' '{"reviewerID": "r", "asin": "B1", "overall": 2.0, "unixReviewTime": 5}' > old.json
    all amazon old.json
    [ "$(cat data/users.tsv)" = $'r\tB1' ]
}

@test "H&M, whose articles begin with zeros and are bought again" {
    printf '%s\n' t_dat,customer_id,article_id,price,sales_channel_id 2018-09-21,c,0108775015,0.05,2 \
        2018-09-20,c,0110065001,0.03,1 2018-09-22,c,0110065001,0.03,1 > transactions_train.csv
    printf '%s\n' article_id,prod_name,product_type_name,colour_group_name,detail_desc \
        '0108775015,Strap top,Vest top,Black,"Jersey top, narrow straps."' '0110065001,OP T-shirt,Bra,White,' > articles.csv
    all hm transactions_train.csv articles.csv
    [ "$(cat data/items.tsv)" = $'0108775015\tStrap top. Vest top. Black. Jersey top, narrow straps.\n0110065001\tOP T-shirt. Bra. White.' ]
    [ "$(cat data/users.tsv)" = $'c\t0110065001 0108775015' ]
    all hm transactions_train.csv articles.csv --repeats last
    [ "$(cat data/users.tsv)" = $'c\t0108775015 0110065001' ]
    all hm transactions_train.csv articles.csv --repeats all
    [ "$(cat data/users.tsv)" = $'c\t0110065001 0108775015 0110065001' ]
}

@test "NineRec's pairs and titles" {
    printf 'user_id,item_id,timestamp\nu1,v2,9\nu1,v1,3\n' > pair.csv
    printf 'v1,标题,Title one\nv2,,Two\n' > item.csv
    all ninerec pair.csv item.csv
    [ "$(cat data/items.tsv)" = $'v1\t标题. Title one\nv2\tTwo' ]
    [ "$(cat data/users.tsv)" = $'u1\tv1 v2' ]
}

@test "MIND: histories, then the clicks by time" {
    printf '%s\t%s\t%s\t%s\t%s\n' 1 U1 '11/13/2019 1:00:00 PM' 'N3 N1' 'N4-1 N5-0' 2 U1 '11/13/2019 9:05:58 AM' 'N3 N1' 'N2-1 N6-0' \
        3 U2 '11/12/2019 12:00:00 AM' '' 'N1-1' > behaviors.tsv
    printf '%s\tnews\tworld\t%s\t%s\thttps://x\t[]\t[]\n' N1 'One "title' 'Its abstract.' N2 Two '' > news.tsv
    all mind behaviors.tsv news.tsv
    [ "$(cat data/users.tsv)" = $'U1\tN3 N1 N2 N4\nU2\tN1' ]
    [ "$(cat data/items.tsv)" = $'N1\tOne "title. Its abstract\nN2\tTwo\nN3\t\nN4\t' ]
}

@test "events of one time keep the order of the file; few events fall away until nothing more does" {
    printf 'user_id:token\titem_id:token\ttimestamp:float\n' > x.inter
    for item in c a b; do printf 'u\t%s\t7\n' $item; done >> x.inter
    all recbole x.inter
    [ "$(cat data/users.tsv)" = $'u\tc a b' ]
    # d is met once and falls away, and then v, who has but one event left.
    printf '%s\t%s\t8\n' v d v b w b w c t a t c >> x.inter
    ratings recbole x.inter --min-user 2 --min-item 2 -o data
    [ "$(cat data/users.tsv)" = $'u\tc a b\nw\tb c\nt\ta c' ]
    # Only c is met three times, and nobody has two of it.
    run ratings recbole x.inter --min-user 2 --min-item 3 -o none
    [ "$status" -eq 1 ]
    [[ "$output" == *"no user is left"* ]]
    [ ! -e none ]
}

@test "what is wrong in a file is said with its line, and nothing is written" {
    fails() {
        run ratings "$@" --min-user 1 --min-item 1 -o none
        echo "$output"
        [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ] && [ ! -e none ]
    }
    printf '1::2::3::4\n1::2\n' > r.dat
    fails movielens r.dat
    [[ "$output" == "ratings.py: r.dat:2: 2 columns between '::' where 4 are needed" ]]
    printf 'a,b\n1,2\n' > x.csv
    fails hm x.csv
    [[ "$output" == "ratings.py: x.csv:1: no column customer_id" ]]
    printf 't_dat,customer_id,article_id\n2018-01-01,c\n' > x.csv
    fails hm x.csv
    [[ "$output" == *"x.csv:2: 2 columns, but the head line has 3" ]]
    printf 't_dat,customer_id,article_id\nsoon,c,a\n' > x.csv
    fails hm x.csv
    [[ "$output" == *"'soon' is no time"* ]]
    printf 't_dat,customer_id,article_id\n2018-01-01,c,a b\n' > x.csv
    fails hm x.csv
    [[ "$output" == *"item 'a b': a name is not empty and holds no TAB"* ]]
    fails hm x.csv --min-rating 3
    [[ "$output" == *"this file has no ratings" ]]
    echo '{' > x.json
    fails amazon x.json
    [[ "$output" == *"x.json:1: "* ]]
    fails mind absent.tsv
    [[ "$output" == *"absent.tsv"* ]]
}
