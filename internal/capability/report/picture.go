package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/vector"
)

// A picture has two dots for each unit of its chart: phones show them so. It is cut to the
// line and its scale; words stand beside it, in the mail's own type.
const (
	pictureScale = 2
	pictureTop   = chartTop - 4
	pictureHigh  = chartHeight + 4 - pictureTop
)

// The colours of the page in daylight.
var (
	paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.RGBA{0x1d, 0x1d, 0x1b, 0xff}
	rule  = color.RGBA{0xe6, 0xe5, 0xe1, 0xff}
)

// picture draws a chart as PNG: mail programs show no SVG.
func (c chart) picture() ([]byte, error) {
	b := brush{image.NewRGBA(image.Rect(0, 0, chartWidth*pictureScale, pictureHigh*pictureScale))}
	draw.Draw(b.on, b.on.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	b.line([]spot{{0, chartHeight}, {chartWidth, chartHeight}}, 1, rule)
	for x := 0.0; x < chartWidth; x += 5 {
		b.line([]spot{{x, chartTop}, {x + 2, chartTop}}, 1, rule)
	}
	b.line(c.spots, 1.5, ink)
	for _, s := range c.spots {
		b.fill(ink, func(r *vector.Rasterizer) { disc(r, b.at(s), 2.5*pictureScale) })
	}
	var out bytes.Buffer
	if err := png.Encode(&out, b.on); err != nil {
		return nil, fmt.Errorf("draw %s: %w", c.Title, err)
	}
	return out.Bytes(), nil
}

// brush paints in the units of a chart.
type brush struct{ on *image.RGBA }

func (b brush) at(s spot) spot { return spot{s.x * pictureScale, (s.y - pictureTop) * pictureScale} }

func (b brush) fill(with color.Color, shape func(*vector.Rasterizer)) {
	r := vector.NewRasterizer(b.on.Bounds().Dx(), b.on.Bounds().Dy())
	shape(r)
	r.Draw(b.on, b.on.Bounds(), image.NewUniform(with), image.Point{})
}

// line is a stroke from each spot to the next, and round where they meet. All go round the same
// way, so that what lies on another does not take it away.
func (b brush) line(spots []spot, wide float64, with color.Color) {
	half := wide * pictureScale / 2
	b.fill(with, func(r *vector.Rasterizer) {
		for i := 1; i < len(spots); i++ {
			stroke(r, b.at(spots[i-1]), b.at(spots[i]), half)
		}
		for i := 1; i+1 < len(spots); i++ {
			disc(r, b.at(spots[i]), half)
		}
	})
}

func stroke(r *vector.Rasterizer, from, to spot, half float64) {
	long := math.Hypot(to.x-from.x, to.y-from.y)
	if long == 0 {
		return
	}
	x, y := -(to.y-from.y)/long*half, (to.x-from.x)/long*half
	polygon(r, []spot{{from.x + x, from.y + y}, {to.x + x, to.y + y}, {to.x - x, to.y - y}, {from.x - x, from.y - y}})
}

func disc(r *vector.Rasterizer, at spot, radius float64) {
	const sides = 24
	around := make([]spot, sides)
	for i := range around {
		turn := -2 * math.Pi * float64(i) / sides
		around[i] = spot{at.x + radius*math.Cos(turn), at.y + radius*math.Sin(turn)}
	}
	polygon(r, around)
}

func polygon(r *vector.Rasterizer, corners []spot) {
	r.MoveTo(float32(corners[0].x), float32(corners[0].y))
	for _, s := range corners[1:] {
		r.LineTo(float32(s.x), float32(s.y))
	}
	r.ClosePath()
}
