namespace KeycloakCreditBridge.Chaos.Fuzzing.Readers;

/// <summary>A reader took what it must not take, or made of it what cannot be stored.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message)
{
    /// <exception cref="BrokenPromiseException">It does not hold.</exception>
    public static void Unless(bool holds, string promise)
    {
        if (!holds)
            throw new BrokenPromiseException(promise);
    }

    /// <summary>What the database can store: no half surrogate pair, no zero character.</summary>
    /// <exception cref="BrokenPromiseException">It cannot be stored.</exception>
    public static void UnlessStorable(string? text, string name)
    {
        for (var at = 0; at < text?.Length; at++)
        {
            if (char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]))
                at++;
            else if (text[at] == '\0' || char.IsSurrogate(text[at]))
                throw new BrokenPromiseException($"{name} cannot be stored: it has \\u{(int)text[at]:x4} at {at}.");
        }
    }
}
