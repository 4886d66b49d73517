namespace KeycloakCreditBridge.Grants.Claims;

/// <summary>For what a grant is given once.</summary>
internal enum OncePer
{
    /// <summary>For each user of Keycloak.</summary>
    User,

    /// <summary>
    /// For each verified address, over all realms and users. An account with an unverified address opens with nothing until then.
    /// </summary>
    Email,

    /// <summary>The same for each inbox: addresses whose mail arrives at one place count as one, see <see cref="Inbox"/>.</summary>
    Inbox,
}
