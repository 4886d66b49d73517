using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Policy.Rules;

/// <summary>A rule of the welcome, ready to be asked.</summary>
internal sealed class WelcomeRule
{
    private readonly RuleWhenOptions? _when;
    private readonly DomainSet? _domains;
    private readonly string[] _attribute;
    private readonly string[] _utm;
    private readonly InviteLinks? _invites;

    /// <param name="options">As configured.</param>
    /// <param name="number">Its place in the list.</param>
    /// <param name="invites">Tells invitations of our own; null where there are none.</param>
    public WelcomeRule(WelcomeRuleOptions options, int number, InviteLinks? invites = null)
    {
        _invites = invites;
        _when = options.When;
        Name = options.Name.Length > 0 ? options.Name : FormattableString.Invariant($"rule-{number}");
        Credits = options.Credits ?? 0m;
        Tier = options.Tier.Length > 0 ? options.Tier : null;
        TopUpKey = options.TopUp ? $"topup:{options.Tier}" : null;
        ExpiresAfter = options.ExpiresAfter;
        Budget = options.Budget is { } budget ? new Budget(budget.Credits, budget.Per) : null;
        _attribute = (_when?.Attribute ?? "").Split('=', 2);
        _utm = (_when?.Utm ?? "").Split('=', 2);
        _domains = _when is { EmailDomain.Length: > 0 } or { EmailDomainFile.Length: > 0 }
            ? new DomainSet([
                .. _when.EmailDomain.Length > 0 ? [_when.EmailDomain] : Array.Empty<string>(),
                .. _when.EmailDomainFile.Length > 0 ? DomainSet.Lines(_when.EmailDomainFile) : [],
            ])
            : null;
    }

    public string Name { get; }

    /// <summary>All welcome credits of a user that it applies to.</summary>
    public decimal Credits { get; }

    /// <summary>The account's tier then; null where it stays.</summary>
    public string? Tier { get; }

    /// <summary>Key of the grant that pays the difference to users that it matches later; null where it pays none.</summary>
    public string? TopUpKey { get; }

    public TimeSpan? ExpiresAfter { get; }

    /// <summary>Null without a limit.</summary>
    public Budget? Budget { get; }

    /// <summary>Whether it has no conditions.</summary>
    public bool IsForAll => _when is null;

    public bool NeedsGroups => _when is { Group.Length: > 0 };

    public bool NeedsRoles => _when is { Role.Length: > 0 };

    public bool NeedsIdentityProviders => _when is { IdentityProvider.Length: > 0 };

    public bool NeedsAttributes => _when is { Attribute.Length: > 0 };

    public bool NeedsOrganizations => _when is { Organization.Length: > 0 };

    /// <summary>A registration names its client, and the address to return to may say where the user came from.</summary>
    public bool NeedsRegistration =>
        _when is { Client.Length: > 0 } or { Source.Length: > 0 } or { Utm.Length: > 0 } or { Invite.Length: > 0 };

    /// <summary>The attribute that decides, where only administrators may edit it; null otherwise.</summary>
    public string? TrustedAttribute => _when is { Attribute.Length: > 0, AdministratorsOnly: true } ? _attribute[0] : null;

    /// <summary>Whether the user was read as fully as its conditions need.</summary>
    public bool CanBeAsked(GrantUser user) =>
        (!NeedsGroups || user.Groups is not null) && (!NeedsRoles || user.RealmRoles is not null)
        && (!NeedsIdentityProviders || user.IdentityProviders is not null) && (!NeedsOrganizations || user.Organizations is not null)
        && (!NeedsRegistration || user.Registration is not null) && (!NeedsAttributes || user.Attributes is not null);

    /// <summary>Whether all conditions hold for a user that was read as fully as they need.</summary>
    public bool Matches(GrantUser user, Attribution? attribution = null) =>
        (!NeedsGroups || user.Groups!.Any(path => IsIn(path, _when!.Group)))
        && (!NeedsRoles || user.RealmRoles!.Contains(_when!.Role, StringComparer.Ordinal))
        && (!NeedsIdentityProviders || user.IdentityProviders!.Contains(_when!.IdentityProvider, StringComparer.Ordinal))
        && (!NeedsAttributes
            || user.Attributes!.GetValueOrDefault(_attribute[0])?.Contains(_attribute[1], StringComparer.Ordinal) == true)
        && (!NeedsOrganizations || user.Organizations!.Contains(_when!.Organization, StringComparer.Ordinal))
        && (_when is not { Client.Length: > 0 } || user.Registration!.Client == _when.Client)
        && (_when is not { Invite.Length: > 0 } || IsInvited(attribution, _when.Invite))
        && (_when is not { Source.Length: > 0 } || attribution?.Source == _when.Source)
        && (_when is not { Utm.Length: > 0 } || attribution?.Of(_utm[0]) == _utm[1])
        && (_domains is null || (user is { EmailVerified: true, Email: { } email } && _domains.Has(email)));

    // An invitation counts by when it was used; where that is not known it has to be as good as none.
    private bool IsInvited(Attribution? attribution, string campaign) =>
        _invites?.CampaignOf(attribution?.Ref, attribution?.At ?? DateTimeOffset.MaxValue) == campaign;

    private static bool IsIn(string path, string group) => group.EndsWith("/*", StringComparison.Ordinal)
        ? path.StartsWith(group.AsSpan(0, group.Length - 1), StringComparison.Ordinal)
        : path == group;
}
