using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Credits that a user earns once by doing something.</summary>
internal sealed class TaskOptions
{
    /// <summary>What shows that it is done.</summary>
    public TaskEvidenceOptions Evidence { get; set; } = new();

    /// <summary>What it pays, at most six decimals.</summary>
    public decimal? Credits { get; set; }

    /// <summary>What must be true besides: `email_verified`, `welcome`, or the name of another task that was paid.</summary>
    public List<string> Requires { get; set; } = [];

    /// <summary>How long after the user's creation it can be done; null without an end.</summary>
    public TimeSpan? Within { get; set; }

    /// <summary>How long its credits can be used; null without an end.</summary>
    public TimeSpan? ExpiresAfter { get; set; }

    /// <summary>How long the evidence must stand before it pays.</summary>
    public TimeSpan Settle { get; set; }

    /// <summary>For what it is paid once.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public OncePer Once { get; set; }

    /// <summary>Clients that may report it, by client id; for `Evidence:Reported`.</summary>
    public List<string> Clients { get; set; } = [];
}

/// <summary>What shows that a task is done: exactly one kind.</summary>
internal sealed class TaskEvidenceOptions
{
    /// <summary>Keycloak says that the address is verified.</summary>
    public bool EmailVerified { get; set; }

    /// <summary>Attributes that all have a value with a letter or digit.</summary>
    public List<string> Profile { get; set; } = [];

    /// <summary>
    /// Kinds of credentials of which the user has one: `otp`, `webauthn`, `webauthn-passwordless`, `recovery-authn-codes`.
    /// </summary>
    public List<string> Credential { get; set; } = [];

    /// <summary>Identity providers of which one is linked, by alias.</summary>
    public List<string> IdentityProvider { get; set; } = [];

    /// <summary>A group's whole path.</summary>
    public string Group { get; set; } = "";

    /// <summary>A realm role, assigned directly or inherited.</summary>
    public string Role { get; set; } = "";

    /// <summary>Usage was charged by a gateway or a service, not by the user's own token.</summary>
    public bool FirstUsage { get; set; }

    /// <summary>An application reports it.</summary>
    public bool Reported { get; set; }
}
