package verdict

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/aclements/go-moremath/stats"
	"pgregory.net/rapid"

	"mabeam-top/internal/stress/report"
)

// A planted makes estimates of a known quantity.
type planted struct {
	name  string
	truth float64
	// make returns the estimates of n repetitions.
	make func(draw *rand.Rand, repetitions int) []Estimate
	// repetitions are the numbers of repetitions to try.
	repetitions []int
}

// readings returns n values with normal noise around a line that grows by a share from
// the first to the last.
func readings(draw *rand.Rand, n int, growth, noise float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = 1e6 * (1 + growth*(float64(i)/float64(n-1)-0.5) + noise*draw.NormFloat64())
	}
	return all
}

func growing(n int, growth, noise float64) planted {
	return planted{
		fmt.Sprintf("growth of %v in %d readings with noise %v", growth, n, noise), growth,
		func(draw *rand.Rand, repetitions int) (all []Estimate) {
			for range repetitions {
				all = append(all, Estimate{Readings: readings(draw, n, growth, noise)})
			}
			return all
		},
		[]int{1, 3, 5},
	}
}

func declining(n int, decline, noise, between float64) planted {
	return planted{
		fmt.Sprintf("decline of %v in %d readings with noise %v, and %v between repetitions", decline, n, noise, between), decline,
		func(draw *rand.Rand, repetitions int) (all []Estimate) {
			for range repetitions {
				var e Estimate
				last := (1 - decline) * math.Exp(between*draw.NormFloat64())
				for range n {
					e.First = append(e.First, 1000*(1+noise*draw.NormFloat64()))
					e.Last = append(e.Last, 1000*last*(1+noise*draw.NormFloat64()))
				}
				all = append(all, e)
			}
			return all
		},
		[]int{3, 5},
	}
}

func scaling(exponent, noise float64, sizes ...float64) planted {
	return planted{
		fmt.Sprintf("n^%v at %v with noise %v", exponent, sizes, noise), exponent,
		func(draw *rand.Rand, repetitions int) (all []Estimate) {
			for range repetitions {
				var e Estimate
				height := math.Exp(draw.NormFloat64()) // a machine has faster and slower days
				for _, size := range sizes {
					e.Sizes = append(e.Sizes, size)
					e.Values = append(e.Values, height*math.Pow(size, exponent)*math.Exp(noise*draw.NormFloat64()))
				}
				all = append(all, e)
			}
			return all
		},
		[]int{1, 3, 5},
	}
}

func sharing(share float64, of int64) planted {
	return planted{
		fmt.Sprintf("share of %v in %d cases", share, of), share,
		func(draw *rand.Rand, repetitions int) (all []Estimate) {
			for range repetitions {
				e := Estimate{Of: of}
				for range of {
					if draw.Float64() < share {
						e.Part++
					}
				}
				all = append(all, e)
			}
			return all
		},
		[]int{1, 5},
	}
}

// TestPoolCoverage pools estimates of a known quantity: the interval contains it as often
// as the confidence level says. For pure noise the quantity is 0.
func TestPoolCoverage(t *testing.T) {
	const seeds, least = 500, 0.98
	for _, p := range []planted{
		growing(3, 0, 0.02), growing(4, 0, 0.02), growing(5, 0, 0.02), growing(6, 0, 0.02), growing(10, 0, 0.02), growing(30, 0, 0.1),
		growing(10, 0.2, 0.02), growing(30, -0.1, 0.02), growing(3, 0.3, 0.01),
		declining(2, 0, 0.05, 0), declining(5, 0, 0.05, 0), declining(12, 0, 0.1, 0), declining(12, 0, 0.02, 0.05), declining(12, 0.3, 0.05, 0),
		scaling(0, 0.1, 100, 1000, 10_000), scaling(1, 0.1, 100, 1000, 10_000), scaling(2, 0.1, 100, 200, 400, 800), scaling(0.15, 0.05, 10, 1000, 1000, 10),
		sharing(0.5, 50), sharing(0.95, 100), sharing(0.99, 1000),
	} {
		for _, repetitions := range p.repetitions {
			draw := rand.New(rand.NewPCG(1, uint64(repetitions)))
			in := 0
			for range seeds {
				value, i, ok := Pool(p.make(draw, repetitions))
				if !ok || value < i.Low || value > i.High {
					t.Fatalf("%s, %d repetitions: %v in %v, %v", p.name, repetitions, value, i, ok)
				}
				if i.Low <= p.truth && p.truth <= i.High {
					in++
				}
			}
			if share := float64(in) / seeds; share < least {
				t.Errorf("%s, %d repetitions: the interval holds it in %v of the seeds, want %v", p.name, repetitions, share, least)
			}
		}
	}
}

// TestPoolPower pools estimates of a quantity far from that of a healthy system: the
// interval nearly always excludes the healthy value.
func TestPoolPower(t *testing.T) {
	const seeds, least = 300, 0.95
	for _, c := range []struct {
		planted
		healthy float64
	}{
		{growing(20, 0.2, 0.03), 0.05},
		{declining(12, 0.3, 0.1, 0.02), 0.1},
		{scaling(2, 0.1, 100, 1000, 10_000), 1.3},
		{sharing(0.8, 100), 0.95},
	} {
		draw := rand.New(rand.NewPCG(2, 3))
		found := 0
		for range seeds {
			if _, i, ok := Pool(c.make(draw, 5)); ok && (c.healthy < i.Low || c.healthy > i.High) {
				found++
			}
		}
		if share := float64(found) / seeds; share < least {
			t.Errorf("%s: the interval excludes %v for %v of the seeds, want %v", c.name, c.healthy, share, least)
		}
	}
}

// TestPoolExactly pools estimates without noise.
func TestPoolExactly(t *testing.T) {
	for name, c := range map[string]struct {
		estimates []Estimate
		want      float64
	}{
		"a line":              {[]Estimate{{Readings: []float64{90, 95, 100, 105, 110}}}, 0.2},
		"bytes an operation":  {[]Estimate{{Readings: []float64{1e6, 1.064e6, 1.128e6}, Per: 1000}, {Readings: []float64{5e6, 5.064e6, 5.128e6}, Per: 1000}}, 64},
		"no growth":           {[]Estimate{{Readings: []float64{7, 7, 7}}}, 0},
		"a third less":        {[]Estimate{{First: []float64{30, 30}, Last: []float64{20, 20}}}, 1.0 / 3},
		"nothing in the end":  {[]Estimate{{First: []float64{30, 30}, Last: []float64{0, 0}}}, 1},
		"a stall counts":      {[]Estimate{{First: []float64{30, 30}, Last: []float64{30, 0}}}, 0.5},
		"linear":              {[]Estimate{{Sizes: []float64{1, 10, 100}, Values: []float64{3, 30, 300}}}, 1},
		"quadratic, in parts": {[]Estimate{{Sizes: []float64{1, 10}, Values: []float64{1, 100}}, {Sizes: []float64{10, 100}, Values: []float64{7, 700}}}, 2},
		"all":                 {[]Estimate{{Part: 10, Of: 10}, {Part: 5, Of: 5}}, 1},
		"by how many":         {[]Estimate{{Part: 1, Of: 1}, {Part: 0, Of: 3}}, 0.25},
		"once not counted":    {[]Estimate{{Part: 1, Of: 2}, {}}, 0.5},
	} {
		value, i, ok := Pool(c.estimates)
		if !ok || math.Abs(value-c.want) > 1e-9 || i.Low > c.want+1e-9 || i.High < c.want-1e-9 {
			t.Errorf("%s: %v between %v and %v, %v; want %v", name, value, i.Low, i.High, ok, c.want)
		}
	}
}

func TestPoolCannotTell(t *testing.T) {
	for name, estimates := range map[string][]Estimate{
		"nothing":                    nil,
		"no field":                   {{}},
		"two readings":               {{Readings: []float64{1, 2}}},
		"once too few readings":      {{Readings: []float64{1, 2, 3}}, {Readings: []float64{1}}},
		"readings of 0":              {{Readings: []float64{0, 0, 0}}},
		"readings that are none":     {{Readings: []float64{1, math.NaN(), 3}}},
		"one reading at each end":    {{First: []float64{1}, Last: []float64{1}}},
		"nothing in the beginning":   {{First: []float64{0, 0}, Last: []float64{1, 1}}},
		"one size":                   {{Sizes: []float64{5, 5, 5}, Values: []float64{1, 2, 3}}},
		"two points":                 {{Sizes: []float64{1, 10}, Values: []float64{1, 10}}},
		"values of 0":                {{Sizes: []float64{1, 10, 100}, Values: []float64{1, 0, 100}}},
		"sizes without values":       {{Sizes: []float64{1, 10, 100}, Values: []float64{1, 10}}},
		"a share of nothing":         {{Part: 0, Of: 0}},
		"of which one is beyond all": {{Readings: []float64{1, 2, math.Inf(1)}}},
	} {
		if value, i, ok := Pool(estimates); ok {
			t.Errorf("%s: %v between %v and %v", name, value, i.Low, i.High)
		}
	}
}

// TestWilson compares the interval with the 95 % bounds of Newcombe (Statistics in
// Medicine 17, 1998, table I, method 3).
func TestWilson(t *testing.T) {
	z := stats.StdNormal.InvCDF(0.975)
	for _, c := range []struct{ part, of, low, high float64 }{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
		{29, 29, 0.8830, 1},
	} {
		i := wilson(c.part, c.of, z)
		if math.Abs(i.Low-c.low) > 5e-5 || math.Abs(i.High-c.high) > 5e-5 {
			t.Errorf("%v of %v: %v to %v, want %v to %v", c.part, c.of, i.Low, i.High, c.low, c.high)
		}
	}
}

// TestPoolProperties checks for any estimates that the result is finite, the value is
// inside its interval, and the order of the repetitions does not matter.
func TestPoolProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(-1e3, 1e9)
		several := rapid.SliceOfN(number, 0, 8)
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		estimates := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Estimate {
			var e Estimate
			switch kind {
			case 0:
				e.Readings = several.Draw(t, "readings")
			case 1:
				e.First, e.Last = several.Draw(t, "first"), several.Draw(t, "last")
			case 2:
				e.Sizes, e.Values = several.Draw(t, "sizes"), several.Draw(t, "values")
			case 3:
				e.Of = rapid.Int64Range(0, 1000).Draw(t, "of")
				e.Part = rapid.Int64Range(0, e.Of).Draw(t, "part")
			}
			return e
		}), 1, 5).Draw(t, "estimates")
		value, i, ok := Pool(estimates)
		if !ok {
			return
		}
		slack := 1e-9 * (1 + math.Abs(value))
		if !report.Finite(value) || !report.Finite(i.Low) || !report.Finite(i.High) || value < i.Low-slack || value > i.High+slack {
			t.Fatalf("%v between %v and %v", value, i.Low, i.High)
		}
		turned := append(estimates[1:len(estimates):len(estimates)], estimates[0])
		again, j, ok := Pool(turned)
		if !ok || math.Abs(again-value) > slack || math.Abs(j.Low-i.Low) > 1e-6*(1+math.Abs(i.Low)) {
			t.Fatalf("in another order: %v between %v and %v, not %v between %v and %v", again, j.Low, j.High, value, i.Low, i.High)
		}
	})
}
