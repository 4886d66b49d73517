namespace KeycloakCreditBridge.Accounts;

internal static class AccountsModule
{
    public static void AddAccounts(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<AccountViewStore>();
        builder.Services.AddSingleton<AccountFinder>();
        builder.Services.AddSingleton<RealmRenameStore>();
    }
}
