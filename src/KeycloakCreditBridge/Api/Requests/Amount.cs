using System.Globalization;

namespace KeycloakCreditBridge.Api.Requests;

/// <summary>Amounts of credits as they are written in JSON: decimals of at most six places, fit for numeric(20, 6).</summary>
internal static class Amount
{
    // Longer ones could lose digits on the way to a decimal.
    private const int LongestText = 24;
    private const decimal Largest = 99_999_999_999_999.999999m;

    /// <summary>The amount, or what is wrong with it, to follow its name.</summary>
    public static (decimal Value, string? Problem) Parse(string text, bool maySubtract = false)
    {
        if (text.Length > LongestText || !decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
            return (0m, $"is not a decimal number up to {Text(Largest)}");
        if (decimal.Round(value, 6) != value)
            return (0m, "has more than six decimals");
        return Math.Abs(value) > Largest ? (0m, $"is more than {Text(Largest)}")
            : value < 0m && !maySubtract ? (0m, "is negative")
            : (value, null);
    }

    /// <summary>With exactly six decimals, as the ledger has it.</summary>
    public static string Text(decimal amount) => amount.ToString("0.000000", CultureInfo.InvariantCulture);
}
