using KeycloakCreditBridge.Grants.Budgets;

namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Welcome credits of users who came from somewhere. The first rule of the list whose conditions all hold decides.</summary>
internal sealed class WelcomeRuleOptions
{
    /// <summary>Names the rule on its grants; `rule-` and its number when empty.</summary>
    public string Name { get; set; } = "";

    /// <summary>Conditions, which must all hold; null for the last rule, which is for everyone else.</summary>
    public RuleWhenOptions? When { get; set; }

    /// <summary>All welcome credits of such a user, at most six decimals.</summary>
    public decimal? Credits { get; set; }

    /// <summary>The tier that the account gets, unless `Provisioning:TierFrom` gives it one; none when empty.</summary>
    public string Tier { get; set; } = "";

    /// <summary>
    /// Whether a user that the rule matches later, when the welcome is decided, gets what it gives more, once for its tier.
    /// </summary>
    public bool TopUp { get; set; }

    /// <summary>How long the credits can be used; null for the welcome's own.</summary>
    public TimeSpan? ExpiresAfter { get; set; }

    /// <summary>The most that the rule gives. Once used up, the next rule that matches applies.</summary>
    public RuleBudgetOptions? Budget { get; set; }
}

/// <summary>Conditions of a rule; an empty one is none.</summary>
internal sealed class RuleWhenOptions
{
    /// <summary>A group's whole path, such as `/partners`; with `/*` at its end only the members of its subgroups.</summary>
    public string Group { get; set; } = "";

    /// <summary>A realm role, assigned directly or inherited.</summary>
    public string Role { get; set; } = "";

    /// <summary>The alias of an identity provider that the user is linked to.</summary>
    public string IdentityProvider { get; set; } = "";

    /// <summary>The domain of the verified address, such as `example.com`; `*.edu.example` for its subdomains.</summary>
    public string EmailDomain { get; set; } = "";

    /// <summary>A file with such domains, one a line.</summary>
    public string EmailDomainFile { get; set; } = "";

    /// <summary>`name=value`: one of the attribute's values.</summary>
    public string Attribute { get; set; } = "";

    /// <summary>What the user's browser gave as `source` of its attribution. The rule needs a budget.</summary>
    public string Source { get; set; } = "";

    /// <summary>`name=value` of that attribution, such as `campaign=autumn`. The rule needs a budget.</summary>
    public string Utm { get; set; } = "";

    /// <summary>The alias of an organisation that the user is a member of.</summary>
    public string Organization { get; set; } = "";

    /// <summary>The id of the client through which the user registered, as Keycloak's stored event says.</summary>
    public string Client { get; set; } = "";

    /// <summary>The campaign of a signed invitation that the user's browser gave as `ref` of its attribution.</summary>
    public string Invite { get; set; } = "";

    /// <summary>Whether only administrators can edit the attribute. A rule on any other needs a budget.</summary>
    public bool AdministratorsOnly { get; set; }
}

/// <summary>The most that a rule gives.</summary>
internal sealed class RuleBudgetOptions
{
    /// <summary>Credits.</summary>
    public decimal Credits { get; set; }

    /// <summary>A day (UTC), or in total.</summary>
    public BudgetPeriod Per { get; set; } = BudgetPeriod.Total;
}
