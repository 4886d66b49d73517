namespace KeycloakCreditBridge.Grants.Claims;

/// <summary>What a grant is given for once, as a keyed hash: the first account that takes it has it.</summary>
/// <param name="Kind">See <see cref="ClaimKinds"/>.</param>
/// <param name="Hash">By the current key.</param>
internal sealed record Claim(string Kind, byte[] Hash)
{
    /// <summary>
    /// What stands for the same: its hashes by previous keys, and the address of an inbox. Where one of these was taken this one is too,
    /// and they are taken together.
    /// </summary>
    public IReadOnlyList<Claim> Others { get; init; } = [];
}

/// <param name="Policy">The grant that it is for, by the name of its policy: another policy gives its own once.</param>
internal sealed record AskedClaim(Claim Claim, string Policy);

/// <summary>Kinds of what a grant is given for once. Stored in `grant_claims.kind`.</summary>
internal static class ClaimKinds
{
    /// <summary>A whole address.</summary>
    public const string Email = "email";

    /// <summary>The inbox of an address.</summary>
    public const string Inbox = "inbox";

    /// <summary>A user of an identity provider, see <see cref="ClaimKeys.Identity"/>.</summary>
    public const string Identity = "identity";

    /// <summary>What an application reports under a name of its own, such as a card or a device.</summary>
    public static string Reported(string name) => $"reported:{name}";
}
