"""Expressions and inputs on which compiled mappings must agree with the engines."""

from __future__ import annotations

from typing import Any

#: every expression is applied to every input
EXPRESSIONS = """
a
a.b
a.b.c
a.b.c.d
x.a
n
n.a
missing
missing.a.b
$
$.a
$$
$$.a.b
list
list.id
list.tags
list.sub.id
list.sub.tags
list.missing
nested
nested.id
nested.v
deep.id
empty
empty.id
one
one.id
one.tags
one.sub.tags
list[0]
list[0].id
list[-1].id
list[-9]
list[9].id
list.tags[0]
list.tags[1]
(list.tags)[0]
(list.tags)[-1]
list[id = "2"]
list[id = "2"].tags
list[id = "none"]
list[id != "1"].id
list[flag].id
list[$not(flag)].id
list[tags]
list[sub.id = "s1"].id
list[id = "1" or id = "3"].id
list[id in ["1", "3"]].id
list[qty > 1].id
list[qty >= 2 and qty <= 3].id
list[[0, 2]].id
list[[0..1]].id
list[qty]
list[0][0]
list[id = "1"][0].id
nested[0]
nested[1]
nested[0][0]
one[0]
one[1]
a[0]
a.b[0].c
a[b.c = "deep"].b.c
missing[0]
missing[x = 1]
n[0]
list[]
one[].id
one.id[]
a.b[]
a.b.c[]
missing[]
empty[]
list[id = "2"][]
list.{"id": id}
list.{"id": id, "t": tags, "gone": missing}
list.{"id": id}[0]
one.{"id": id}
[one.{"id": id}]
[list.{"id": id}]
[missing.{"id": id}]
[empty]
[list.tags]
[one.tags]
a.{"b": b}
n.{"v": a}
missing.{"v": a}
empty.{"v": a}
nested.{"id": id}
deep.{"id": id}
list.{"s": sub.{"id": id}}
list.{"s": [sub.{"id": id}]}
list.{"n": {"id": id, "x": {"y": tags}}}
list.sub.{"id": id, "tags": tags}
list.(id)
list.(id & "x")
list.(sub.tags)
list.(tags[0])
list.(sub[])
list.([id])
list.[id]
list.[id, tags]
one.[id]
one.[id, tags]
list.[id].$
list.id.[$]
list.(flag ? id)
list.(flag ? id : [id, id])
list.tags.($ & "!")
list.tags.{"t": $}
list.id.{"i": $}
list.$string(id)
list.id.$uppercase($)
list.id.$length()
{"a": a, "b": missing, "c": n}
{"a": {"b": {"c": missing}}}
{"a": []}
{"a": [missing, n, "x"]}
{}
[]
[1, 2, [3, 4]]
[[1], [2]]
[list.id, "x"]
[list.id, [list.id]]
["["]
[n]
[a, n, missing]
"text"
'text'
"q\\"uo\\\\te \\n \\u00e9"
12
-3
true
false
null
`a`.b
a.`b`.c
(a.b).c
(missing; a.b.c)
($x := a.b; $x.c)
($x := list; $x.id)
($x := list; $x[0].id)
($x := list[0]; $x.tags)
($x := one; $x.tags)
($x := one.tags; $x)
($x := one.id; $x)
($x := "1"; list[id = $x].tags)
($x := 1; ($x := 2; $x))
($x := 1; {"a": ($x := 2; $x), "b": $x})
($x := $y := 5; $x + $y)
($f := function($v) { $v & "!" }; $f(s))
($f := function($v, $w) { $v & $w }; list.$f(id, "?"))
($f := function($v) { {"v": $v} }; list.$f(id))
($f := function($v) { $v.id }; $map(list, $f))
($f := function() { s }; $f())
s = "Hello"
s != "Hello"
missing = "x"
missing != "x"
missing = missing
n = null
n != null
null = null
i = 7
i != 7
i = "7"
1 = true
t = true
t = 1
f = false
f = 0
"Hello" = s
list = list
list.tags = list.tags
a = {"b": {"c": "deep"}}
{"b": 1, "a": 2} = {"a": 2, "b": 1}
[1, 2] = [1, 2]
i > 3
i < 3
i >= 7
i <= 7
s < "World"
missing < 3
3 > missing
s & s
s & missing
missing & missing
s & i
s & t
s & n
s & one.tags
s & a
"a" & "b" & i & "c" & missing
i & s
s and t
s and missing
f or n
empty or a
t and (list.id = "1")
t or $error("no")
f and $error("no")
one and true
i and 0
"" or 0
{} or false
a and true
s in ["Hello", "x"]
s in "Hello"
s in missing
missing in ["x"]
i in [1, 7]
"1" in list.id
n in [null]
t in [1, 2]
i + 3
i - 10
i * 3
i % 3
-i % 3
-i
-missing
14 / i
i + missing
missing * 2
i + 2 * 3 - 4
(i + 2) * 3
t ? "yes" : "no"
f ? "yes" : "no"
f ? "yes"
missing ? "yes" : "no"
s ? s : "none"
n ? 1 : 2
0 ? 1 : 2
"" ? 1 : 2
empty ? 1 : 2
one ? 1 : 2
a ? 1 : 2
{} ? 1 : 2
[0] ? 1 : 2
[0, 1] ? 1 : 2
[0, 0] ? 1 : 2
[[]] ? 1 : 2
t ? (f ? 1 : 2) : 3
t ? list.id : missing
t ? missing : 1
s = "Hello" ? {"a": 1} : {"b": 2}
missing ?? "d"
n ?? "d"
s ?? "d"
f ?? "d"
missing ?? missing
missing ?: "d"
n ?: "d"
s ?: "d"
"" ?: "d"
list[id = "9"] ?? "none"
(missing ?? a).b
$string(s)
$string(i)
$string(t)
$string(n)
$string(missing)
$string(one)
$string(a)
$string(list.tags)
$string("é")
$number("12")
$number("-12")
$number("12.0")
$number(i)
$number(t)
$number(missing)
$uppercase(s)
$uppercase(missing)
$lowercase(s)
$uppercase("straße")
$length(s)
$length("")
$length(missing)
$trim("  a  b \\n c ")
$trim(missing)
$substring(s, 1)
$substring(s, 1, 2)
$substring(s, -3)
$substring(s, -3, 2)
$substring(s, -30, 2)
$substring(s, 2, 0)
$substring(s, 2, -1)
$substring(s, 9)
$substring(missing, 1)
$substringBefore(s, "l")
$substringBefore(s, "?")
$substringBefore(s, "")
$substringAfter(s, "l")
$substringAfter(s, "?")
$substringAfter(s, "")
$substringBefore(missing, "x")
$contains(s, "ell")
$contains(s, "")
$contains(missing, "x")
$split("a,b,c", ",")
$split("a,b,c", ",", 2)
$split("abc", "")
$split("", ",")
$split("abc", ",")
$split(missing, ",")
$join(list.id, ", ")
$join(list.id)
$join(one.tags, "-")
$join("x", "-")
$join(missing, "-")
$join(empty, "-")
$replace(s, "l", "L")
$replace(s, "l", "L", 1)
$replace(s, "l", "L", 0)
$replace(s, "?", "L")
$replace(missing, "l", "L")
$pad(s, 8)
$pad(s, -8)
$pad(s, 8, "#+")
$pad(s, -8, "#+")
$pad(s, 2)
$pad(missing, 2)
$count(list)
$count(missing)
$count(s)
$count(n)
$count(empty)
$count(list.tags)
$sum([1, 2, 3])
$sum(i)
$sum(list.qty)
$sum(missing)
$max([1, 5, 3])
$min([4, 2, 3])
$max(missing)
$exists(a)
$exists(missing)
$exists(n)
$exists("x")
$exists(list[id = "9"])
$not(t)
$not(n)
$not(missing)
$not(list)
$not(s = "Hello")
$boolean(s)
$boolean(missing)
$boolean(empty)
$boolean([0, 1])
$type(s)
$type(i)
$type(t)
$type(n)
$type(a)
$type(list)
$type(missing)
$merge([{"a": 1}, {"b": 2}, {"a": 3}])
$merge([a, {"z": 1}])
$merge(list)
$merge(a)
$merge(missing)
$merge([{"a": 1}, t ? {"c": 1}, f ? {"d": 1}])
$append(list.id, "x")
$append("x", "y")
$append(missing, "y")
$append("x", missing)
$append([], "y")
$append("y", [])
$append(one, one)
$keys(a)
$keys(list)
$keys({"a": 1, "b": 2})
$keys(missing)
$keys(s)
$keys({})
$lookup(a, "b")
$lookup(list, "id")
$lookup(one, "id")
$lookup(missing, "id")
$lookup(a, "zz")
$lookup({"k": "v"}, "k")
$distinct(list.tags)
$distinct(["a", "a"])
$distinct(list.same)
$distinct(missing)
$distinct(s)
$distinct([1, "1", true, null, null, 1])
$distinct([{"a": 1}, {"a": 1}])
$reverse(list.id)
$reverse([1])
$reverse(missing)
$sort(list.id)
$sort([3, 1, 2])
$sort(s)
$sort(missing)
$sort(list, function($l, $r) { $l.id < $r.id }).id
$sort([3, 1, 2], function($l, $r) { $l < $r })
$map(list, function($v) { $v.id })
$map(list, function($v, $i) { {"i": $i, "id": $v.id} })
$map(list, function($v, $i, $a) { $count($a) + $i })
$map(list, function($v) { $v.missing })
$map(one, function($v) { $v.id })
[$map(one, function($v) { $v.id })]
$map(missing, function($v) { $v })
$map(s, function($v) { $v & "!" })
$map(list.id, $uppercase)
$map(list, function($v) { s })
$map(list, function($v) { $v.flag ? $v.id })
$map(nested, function($v) { $v })
$filter(list, function($v) { $v.qty > 1 })
$filter(list, function($v) { $v.qty > 1 }).id
$filter(list, function($v) { $v.qty > 1 })[0]
$filter(list, function($v, $i) { $i = 1 }).id
$filter(missing, function($v) { true })
$filter(one, function($v) { true })
$filter(list, function($v) { false })
$filter(nested, function($v) { true })[0]
$each(a, function($v, $k) { $k })
$each({"x": 1, "y": 2}, function($v, $k) { {"k": $k, "v": $v} })
$each(missing, function($v, $k) { $k })
$sift({"x": 1, "y": null, "z": "q"}, function($v) { $v })
$sift({"x": 1, "y": null}, function($v, $k) { $k = "y" })
$sift({"x": 0}, function($v) { $v })
$reduce([1, 2, 3], function($a, $b) { $a + $b })
$reduce([1, 2, 3], function($a, $b) { $a + $b }, 10)
$reduce(list.id, function($a, $b) { $a & "," & $b })
$reduce(missing, function($a, $b) { $a })
$reduce([], function($a, $b) { $a + $b }, 4)
$reduce([5], function($a, $b) { $a + $b })
list{id: qty}
list{flag ? "on" : "off": $count(id)}
list{flag ? "on" : "off": id}
list{id: $}
one{id: tags}
missing{"a": "b"}
list.sub{id: tags}
{s: i}
{s & "x": i, "fix": 1}
{missing: 1, "k": 2}
$map(list, function($v) { {$v.id: $v.qty} })
$merge(list.{id: qty})
list^(id).id
list^(>id).id
list^(>qty, id).id
list^(missing).id
list^(<flag2).id
list^(>id)[0].id
list^(id).{"i": id}
one^(id)
missing^(id)
(list^(>id)).id
list.tags^($)
s ~> $uppercase
s ~> $uppercase()
s ~> $substring(1, 3) ~> $uppercase()
list.id ~> $join("-")
list ~> $map(function($v) { $v.id })
missing ~> $uppercase
list[$.id = "1"].id
list[$$.s = "Hello"].id
list.{"root": $$.s, "id": id}
list.$$.s
$$.list[id = $$.list[1].id].tags
list.{"same": $$.list[id = "1"].id}
[1..3]
[1..0]
[missing..3]
[1..3, 9]
[1..3].($ * 2)
[1..3][$ > 1]
[1..3].{"n": $}
$count([1..5])
a.b.c.$uppercase($)
list[0].tags[0]
list.tags[0] & "x"
{"first": list[0].id, "rest": [list[$.id != "1"].id]}
{"tags": list.tags, "t": [list.tags], "n": $count(list)}
{"x": list[qty > 100]}
{"x": [list[qty > 100]]}
{"x": [list[qty > 100].{"id": id}]}
{"o": t ? {"k": s} : missing, "p": f ? {"k": s}}
"and".a
and
list.(qty * 2)
list.(qty + 1 > 2)
$string(list[0])
$error
nested.$
nested.($)
deep
deep[0]
deep.$count($)
nested.$count($)
nested.[$]
one.tags.[$]
$lookup($, "s")
$count($)
$exists($)
$keys($)
""".strip().splitlines()

INPUTS: list[Any] = [
    {
        "a": {"b": {"c": "deep"}},
        "n": None,
        "s": "Hello",
        "i": 7,
        "t": True,
        "f": False,
        "empty": [],
        "one": [{"id": "1", "tags": ["p"], "sub": {"id": "s1", "tags": ["u"]}}],
        "list": [
            {"id": "1", "tags": ["p", "q"], "qty": 1, "flag": True, "sub": {"id": "s1", "tags": ["u"]}, "same": "z"},
            {"id": "2", "tags": ["p"], "qty": 2, "flag": False, "sub": {"id": "s2"}, "same": "z"},
            {"id": "3", "tags": [], "qty": 3, "flag": True, "sub": [{"id": "s3"}, {"id": "s4"}], "same": "z"},
        ],
        "nested": [[{"id": "1", "v": 1}, {"id": "2"}], [{"id": "3", "v": [2]}]],
        "deep": [[[{"id": "1"}]], [[{"id": "2"}]]],
        "x": "scalar",
        "and": {"a": 1},
    },
    {
        "a": [{"b": {"c": "x"}}, {"b": [{"c": "y"}, {"c": ["z"]}]}, {}],
        "n": [None],
        "s": "",
        "i": 0,
        "t": 1,
        "f": [],
        "empty": {},
        "one": {"id": "1", "tags": "p"},
        "list": {"id": "2", "tags": ["p"], "qty": 2, "flag": True},
        "nested": [["x"], ["y", "z"]],
        "deep": [],
        "x": ["a", "b"],
    },
    {
        "a": {"b": [{"c": None}, {"c": {"d": 5}}, {"c": [1, 2]}]},
        "n": {"a": None},
        "s": "World",
        "i": 14,
        "list": [
            {"id": "2", "tags": "x", "qty": 5},
            {"id": "1", "tags": None, "qty": 5, "flag": None},
            {"tags": [["k"], "m"], "id": "2", "qty": 0},
        ],
        "one": [[{"id": "9", "tags": ["w"]}]],
        "nested": [[1]],
        "empty": [[]],
        "x": {"a": "ax"},
    },
    {},
    [{"a": "1", "id": "x", "s": "Hello", "tags": ["p"]}, {"a": [2], "id": "y", "list": [{"id": "1", "qty": 2}]}],
    [{"a": {"b": {"c": "deep"}}, "s": "only", "list": []}],
    [],
    [["a"], [{"id": "n"}]],
    "text",
    None,
    7,
]
