using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>What the default user profile asks of a form.</summary>
internal static class ProfileRules
{
    private const string Missing = "Please specify this field.";

    /// <summary>The first error of each field that is wrong.</summary>
    public static Dictionary<string, string> Check(RealmState realm, IFormCollection form, params ReadOnlySpan<string> fields)
    {
        var errors = new Dictionary<string, string>();
        foreach (var field in fields)
        {
            var value = form[field].ToString().Trim();
            if (value.Length == 0)
                errors[field] = Missing;
            else if (field is "email" && !value.Contains('@', StringComparison.Ordinal))
                errors[field] = "Invalid email address.";
            else if (Taken(realm, field, value) is { } taken)
                errors[field] = taken;
        }

        return errors;
    }

    private static string? Taken(RealmState realm, string field, string value)
    {
        lock (realm.Gate)
        {
            return field switch
            {
                "email" when realm.Users.ByEmail(value) is not null => "Email already exists.",
                "username" when realm.Users.ByUsername(value) is not null => "Username already exists.",
                _ => null,
            };
        }
    }
}
