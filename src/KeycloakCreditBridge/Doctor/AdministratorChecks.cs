using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Setup;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>What only an administrator may read. Without one these checks are skipped, which is no fault.</summary>
internal sealed class AdministratorChecks(KeycloakClient keycloak, IOptions<IntakeOptions> intake)
{
    /// <summary>What a check says that needs an administrator and has none.</summary>
    public const string NotVisible = "not visible to the bridge's roles; --admin-user checks it";
    private const string Federations = "components?type=org.keycloak.storage.UserStorageProvider";

    public async Task<Finding> AdminRetentionAsync(AdminSession? administrator, CancellationToken cancellationToken)
    {
        if (administrator is null)
            return Finding.Ok(NotVisible);
        var realm = await administrator.GetAsync("", "view-realm", cancellationToken);
        var kept = (string?)realm["attributes"]?[RealmRequirements.AdminRetention];
        if (!long.TryParse(kept, NumberStyles.Integer, CultureInfo.InvariantCulture, out var seconds) || seconds <= 0)
            return Finding.Ok("admin events are kept for ever");
        var says = string.Create(CultureInfo.InvariantCulture, $"admin events are kept for {seconds} s");
        var overlap = intake.Value.Poll.Overlap;
        if (seconds > overlap.TotalSeconds)
            return Finding.Ok(says);
        says = $"{says}, which is not longer than Intake:Poll:Overlap ({overlap})";
        const string cure = "run `KeycloakCreditBridge setup keycloak`";
        return intake.Value.Poll.Enabled ? Finding.Fail(says, cure) : Finding.Warn($"{says} (Intake:Poll:Enabled is false)", cure);
    }

    /// <summary>Federations whose users Keycloak imports when they are listed, as reconciliation does.</summary>
    public async Task<Finding> FederationsAsync(string realm, AdminSession? administrator, CancellationToken cancellationToken)
    {
        if (administrator is null)
            return Finding.Ok(NotVisible);
        var all = await administrator.GetAsync(Federations, "view-realm", cancellationToken) as JsonArray ?? [];
        string[] importing = [.. all.OfType<JsonObject>().Where(Imports).Select(federation => (string?)federation["name"] ?? "")];
        if (importing.Length == 0)
            return Finding.Ok(all.Count == 0 ? "there are none" : $"none of the {all.Count} imports users");
        var stored = await keycloak.CountUsersAsync(realm, cancellationToken);
        return Finding.Warn(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{string.Join(", ", importing)} import users: reconciliation lists all users, and Keycloak then imports them. ")
            + string.Create(CultureInfo.InvariantCulture, $"The realm has {stored} users now; the federations may have more"),
            "synchronize them in Keycloak before the first reconciliation, or set their Import users off");
    }

    private static bool Imports(JsonObject federation) =>
        Setting(federation, "importEnabled") is not "false" && Setting(federation, "enabled") is not "false";

    private static string? Setting(JsonObject federation, string name) =>
        (string?)(federation["config"]?[name] as JsonArray)?.FirstOrDefault();
}
