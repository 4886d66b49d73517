using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Realm;

/// <summary>The command `realm` and its options.</summary>
internal static class RealmSyntax
{
    private const string Rename =
        """
        Give all records of a realm the name that the realm has in Keycloak now, in one transaction. Users that runs recorded under the new
        name meanwhile keep their old account. Needs PostgreSQL only.
        """;

    private static readonly Argument<string> Old = new("OLD") { Description = "The name on record." };

    private static readonly Argument<string> New = new("NEW") { Description = "The name in Keycloak." };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Show what would be renamed, and write nothing." };

    private static readonly Option<bool> Merge = new("--merge")
    {
        Description = "Rename although NEW has users on record and none of them is a user of OLD.",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("rename");

    public static Command Command(CommandHost host)
    {
        var rename = new Command("rename", Rename) { Old, New, DryRun, Merge, Json };
        rename.Validators.Add(result =>
        {
            if (result.GetValue(New) is not { Length: > 0 and <= 255 } name || name.Contains('/', StringComparison.Ordinal))
                result.AddError("NEW is no name of a realm: give it as it stands in Keycloak's addresses.");
            else if (name == result.GetValue(Old))
                result.AddError("OLD and NEW are the same name.");
        });
        rename.SetAction((parsed, _) => RealmCommand.RenameAsync(
            host, host.Settings(parsed),
            new RealmNames(parsed.GetRequiredValue(Old), parsed.GetRequiredValue(New)), parsed.GetValue(DryRun), parsed.GetValue(Merge),
            parsed.GetValue(Json)));
        return new Command("realm", "Follow a realm that was renamed in Keycloak.") { rename };
    }
}
