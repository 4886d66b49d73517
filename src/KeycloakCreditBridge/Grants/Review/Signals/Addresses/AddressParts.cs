using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Grants.Review.Signals.Addresses;

/// <summary>What signals compare of an e-mail address; null where the text is no address.</summary>
/// <param name="Inbox">The same for all addresses whose mail arrives at one place.</param>
/// <param name="Domain">The domain of the inbox.</param>
/// <param name="Series">The same for inboxes of one domain whose names differ in a sign or two, see <see cref="SeriesOf"/>.</param>
internal sealed record AddressParts(string? Inbox, string? Domain, string? Series)
{
    public static readonly AddressParts None = new(null, null, null);

    private const int Differing = 2;
    private const int ShortestName = 6;

    private static readonly InboxRules Rules = new();

    public static AddressParts Of(string? email)
    {
        if (Claims.Inbox.Of(email, Rules) is not { } inbox)
            return None;
        var at = inbox.LastIndexOf('@');
        var domain = inbox[(at + 1)..];
        return new(inbox, domain, SeriesOf(inbox[..at]) is { } series ? $"{series}@{domain}" : null);
    }

    /// <summary>
    /// A name without what differs in a series of names: the last two digits of its last number, or its last two signs where it has no
    /// number and six signs or more. Two names with the same rest are at most two edits apart. Null for a name that is too short to tell.
    /// </summary>
    public static string? SeriesOf(string name)
    {
        var end = name.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        if (end == 0)
            return name.Length < ShortestName ? null : $"{name[..^Differing]}?";
        var start = end;
        while (start > 0 && end - start < Differing && char.IsAsciiDigit(name[start - 1]))
            start--;
        return name.Length - (end - start) < Differing ? null : $"{name[..start]}?{name[end..]}";
    }
}
