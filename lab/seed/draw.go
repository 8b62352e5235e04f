package seed

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// row is the source of chance for one row of one table.
type row struct {
	*rand.Rand
	g generator
	n int
}

func (g generator) row(table string, n int) row {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", table, n)
	return row{rand.New(rand.NewPCG(g.seed.Random, h.Sum64())), g, n}
}

// id is the key of row n of a table, in the form of a random UUID.
func (g generator) id(table string, n int) string {
	r := g.row(table+".id", n)
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

// of picks a parent among the first count rows of its table; low numbers are
// picked more often, as some projects are busier than others.
func (r row) of(table string, count int) string {
	x := r.Float64()
	return r.g.id(table, int(x*x*float64(count)))
}

// ago is a time within so many days before now.
func (r row) ago(days int) time.Time {
	return r.g.now.Add(-time.Duration(r.Int64N(int64(days) * int64(24*time.Hour)))).Truncate(time.Microsecond)
}

func (r row) pick(from ...string) string { return from[r.IntN(len(from))] }

// chance is true in so many of a hundred cases.
func (r row) chance(percent int) bool { return r.IntN(100) < percent }

// maybe is value in so many of a hundred cases, else NULL.
func (r row) maybe(percent int, value any) any {
	if r.chance(percent) {
		return value
	}
	return nil
}

func (r row) score() float64 { return float64(r.IntN(10001)) / 10000 }

// text is some sentences, two in three Chinese.
func (r row) text(sentences int) string {
	var b strings.Builder
	chinese := r.chance(66)
	for range sentences {
		if chinese {
			b.WriteString(r.chinese())
		} else {
			b.WriteString(r.english())
		}
	}
	return strings.TrimSpace(b.String())
}

func (r row) chinese() string {
	return r.pick("实验结果表明，", "根据文献报道，", "如图所示，", "与前人工作相比，", "在本研究中，", "") +
		r.pick(chineseThings...) + r.pick("的", "在高温下的", "经退火处理后的", "表面的") + r.pick(chineseTraits...) +
		r.pick("显著提高到", "下降至", "约为", "稳定在") + strconv.Itoa(1+r.IntN(990)) + r.pick(" MPa。", "%。", " nm。", " ℃。", " S/cm。")
}

func (r row) english() string {
	return r.pick("As shown in Fig. ", "According to Table ", "Following Ref. ") + strconv.Itoa(1+r.IntN(40)) + ", the " +
		r.pick(englishTraits...) + " of " + r.pick(englishThings...) + r.pick(" increases to ", " drops to ", " is about ", " saturates at ") +
		strconv.Itoa(1+r.IntN(990)) + r.pick(" MPa. ", " %. ", " nm. ", " K. ", " S/cm. ")
}

// thing is the name of an entity; the number keeps names apart.
func (r row) thing() string {
	if r.chance(60) {
		return r.pick(chineseThings...) + "-" + strconv.Itoa(r.n)
	}
	return r.pick(englishThings...) + " " + strconv.Itoa(r.n)
}

// vector is an embedding as JSON.
func (r row) vector(dimension int) string {
	b := []byte{'['}
	for i := range dimension {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, r.NormFloat64(), 'f', 5, 64)
	}
	return string(append(b, ']'))
}

func (r row) hex(digits int) string {
	var b strings.Builder
	for b.Len() < digits {
		fmt.Fprintf(&b, "%016x", r.Uint64())
	}
	return b.String()[:digits]
}

var (
	chineseThings = []string{"石墨烯", "钙钛矿薄膜", "锂离子电池正极", "氧化铝陶瓷", "高熵合金", "聚合物电解质", "碳纳米管", "二氧化钛", "水凝胶", "金属有机框架", "硅负极", "钠离子电池"}
	chineseTraits = []string{"抗拉强度", "导电率", "晶粒尺寸", "循环寿命", "转换效率", "热稳定性", "比表面积", "断裂韧性", "载流子迁移率"}
	englishThings = []string{"graphene", "the perovskite film", "the NCM cathode", "alumina", "the high-entropy alloy", "the polymer electrolyte", "carbon nanotubes", "TiO2", "the hydrogel", "MOF-5"}
	englishTraits = []string{"tensile strength", "conductivity", "grain size", "cycle life", "efficiency", "thermal stability", "surface area", "fracture toughness", "mobility"}
)
