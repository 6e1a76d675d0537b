"""Answers of SciPy and NumPy to the questions on standard input, as JSON: the reference of scipy.test.ts."""

import json
import sys
import warnings

import numpy
import scipy
from scipy import special, stats

warnings.simplefilter("ignore")


def finite(value):
    value = float(value)
    return value if numpy.isfinite(value) else None


def mann_whitney(q):
    answer = {}
    for method in ["asymptotic", "exact"] if q["untied"] else ["asymptotic"]:
        result = stats.mannwhitneyu(q["candidate"], q["baseline"], alternative=q["alternative"], method=method)
        answer["u"] = result.statistic
        answer[method] = result.pvalue
    return answer


def kolmogorov_smirnov(q):
    answer = {}
    for method in ["asymp", "exact"]:
        result = stats.ks_2samp(q["baseline"], q["candidate"], alternative=q["alternative"], method=method)
        answer["d"] = result.statistic
        answer[method] = result.pvalue
    return answer


def quantiles(q):
    answer = {
        "type7": float(numpy.quantile(q["sample"], q["probability"], method="linear")),
        "type1": float(numpy.quantile(q["sample"], q["probability"], method="inverted_cdf")),
        "harrellDavis": finite(stats.mstats.hdquantiles(q["sample"], [q["probability"]])[0]),
    }
    # As scipy.stats.quantile_test(...).confidence_interval does, which SciPy has from 1.11 on: Conover (1999), 3.2.
    values = sorted(q["sample"])
    count = stats.binom(len(values), q["probability"])

    def bounds(tail):
        low, high = int(count.ppf(tail)) - 1, int(count.isf(tail))
        return [values[low] if low >= 0 else None, values[high] if high < len(values) else None]

    answer["two"] = bounds((1 - q["confidence"]) / 2)
    answer["one"] = bounds(1 - q["confidence"])
    return answer


def distributions(q):
    n, k, p, z = q["n"], q["k"], q["p"], q["z"]
    return {
        "pmf": stats.binom.pmf(k, n, p),
        "atMost": special.bdtr(k, n, p),
        "atLeast": stats.binom.sf(k - 1, n, p),
        "ppf": float(stats.binom.ppf(q["level"], n, p)),
        "beta": special.betainc(q["a"], q["b"], p),
        "logGamma": special.gammaln(q["a"]),
        "normalUpperTail": stats.norm.sf(z),
        "normalQuantile": stats.norm.ppf(q["level"]),
        "kolmogorov": stats.kstwo.sf(q["d"], q["size"]),
    }


QUESTIONS = {
    "mannWhitney": mann_whitney,
    "kolmogorovSmirnov": kolmogorov_smirnov,
    "quantiles": quantiles,
    "distributions": distributions,
}

questions = json.load(sys.stdin)
answers = {name: [QUESTIONS[name](q) for q in asked] for name, asked in questions.items()}
json.dump({"scipy": scipy.__version__, "answers": answers}, sys.stdout, default=float)
